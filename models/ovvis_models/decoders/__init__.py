"""Decoders from feature maps to queries with masks."""
