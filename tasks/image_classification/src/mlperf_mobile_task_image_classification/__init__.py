"""Image classification: MobileNetEdgeTPU, MobileNetV4 and similar models."""
