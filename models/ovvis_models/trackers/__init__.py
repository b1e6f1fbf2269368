"""Trackers: match the proposals of each frame to tracks."""
