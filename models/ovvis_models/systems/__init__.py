"""One file per system: its spec type and its four parts; `*_models.py` holds the numbers of the catalog."""
