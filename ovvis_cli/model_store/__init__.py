"""Installed models: where they are kept, how they are fetched and checked."""
