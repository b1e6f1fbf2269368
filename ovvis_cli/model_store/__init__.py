"""Installed models: where they are stored, how they are downloaded and checked."""
