"""Android's Neural Networks API: .tflite models lowered to its operations, compiled and run."""
