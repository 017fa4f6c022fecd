"""Models on Qualcomm's QNN, through ONNX Runtime; .tflite models are compiled by LiteRT."""
