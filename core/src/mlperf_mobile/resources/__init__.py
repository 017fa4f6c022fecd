"""Models and data that no distribution carries: downloads that resume, checksums, safe unpacking, and a cache."""
