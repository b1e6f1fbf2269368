"""Measuring speed: the one pipeline, listened to from outside."""
