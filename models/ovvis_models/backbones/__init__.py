"""Backbones: networks from images to feature maps."""
