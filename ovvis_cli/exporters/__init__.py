"""Record in, result file out: one module a format."""
