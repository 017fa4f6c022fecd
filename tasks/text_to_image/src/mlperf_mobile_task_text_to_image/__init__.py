"""Text to image: captions in, pictures out; CLIP score."""
