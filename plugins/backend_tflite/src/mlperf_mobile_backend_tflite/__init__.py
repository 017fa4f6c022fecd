"""TensorFlow Lite models on the CPU or an external delegate, through LiteRT or tflite-runtime."""
