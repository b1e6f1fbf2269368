"""The names asked for, and the labels that tracks get."""
