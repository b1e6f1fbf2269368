"""The names that are asked for: where they come from, what they mean, what they are told apart from."""
