"""A backend of mlperf-mobile on ONNX Runtime's CPU kernels."""
