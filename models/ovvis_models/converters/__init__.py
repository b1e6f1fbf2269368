"""Translation of published checkpoints, one file a layout."""
