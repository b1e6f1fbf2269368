"""Association: which proposal of a frame belongs to which track."""
