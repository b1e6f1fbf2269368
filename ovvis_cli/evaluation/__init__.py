"""The official metrics of the field and the protocols that produce predictions for them."""
