"""Whole networks: composition only."""
