"""From feature maps to queries with masks."""
