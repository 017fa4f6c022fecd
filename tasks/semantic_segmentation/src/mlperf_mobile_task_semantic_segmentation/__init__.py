"""Semantic segmentation: MOSAIC, DeepLab and similar models."""
