"""TensorFlow Lite models, checked and read without a runtime."""
