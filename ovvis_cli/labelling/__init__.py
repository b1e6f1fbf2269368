"""Requested class names and the labels of tracks."""
