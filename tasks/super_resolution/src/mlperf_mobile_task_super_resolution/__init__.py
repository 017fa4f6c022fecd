"""Super resolution: EDSR and models like it."""
