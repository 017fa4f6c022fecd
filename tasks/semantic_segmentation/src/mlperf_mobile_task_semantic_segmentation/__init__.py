"""Semantic segmentation: MOSAIC, DeepLab and models like them."""
