"""Complete networks, composed of backbones, decoders and heads."""
