"""Runs TensorFlow Lite models on the devices of Android's Neural Networks API."""
