"""Data sets as users have them on disk."""
