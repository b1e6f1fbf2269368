"""Data sets on disk: annotations, frames, results files."""
