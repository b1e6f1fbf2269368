"""Values of a record as objects of other Python packages, which are imported only when they are asked for."""
