"""Image classification: MobileNetEdgeTPU, MobileNetV4 and models like them."""
