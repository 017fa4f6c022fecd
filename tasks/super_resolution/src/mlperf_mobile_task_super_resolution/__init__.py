"""Super resolution: EDSR and similar models."""
