"""Flat, complete training recipes; no inheritance."""
