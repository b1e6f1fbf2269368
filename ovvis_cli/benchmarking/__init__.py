"""Speed measurements of the pipeline."""
