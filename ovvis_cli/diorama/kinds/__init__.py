"""All object kinds of the diorama and their split into base (seen in training) and novel (held out)."""
