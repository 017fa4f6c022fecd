"""The cache of models and data that no distribution carries, and of compiled models."""
