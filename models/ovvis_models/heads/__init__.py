"""Heads: instance tokens from masks, class scores from tokens, and LoRA adapters."""
