"""Runs without Python on the device: the driver of the native runner, and what it shares with the worker."""
