"""The procedural world that the embedded model is trained and tested on."""
