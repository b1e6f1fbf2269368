"""Text: prompt templates, CLIP's text tower, vocabulary embeddings."""
