"""The functional core of ovvis: tensors in, tensors out. Knows nothing of files, consoles or data sets."""
