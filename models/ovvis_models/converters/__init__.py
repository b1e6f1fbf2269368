"""Converters of published checkpoints, one module per layout."""
