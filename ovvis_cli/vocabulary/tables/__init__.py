"""Category tables of the public data sets, as data."""
