"""Runs TensorFlow Lite models and compiled networks on MediaTek's NPU, through NeuroPilot's libraries."""
