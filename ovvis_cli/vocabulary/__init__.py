"""Vocabularies: requested class names, category tables, distractors and text embeddings."""
