"""Real photographs with masks as training data: folders in COCO's format that the user names."""
