"""Training of the embedded models: recipes, stages and the training loop."""
