"""Simulated devices: stand-ins that measure nothing, to try a farm without phones."""

NAME = "simulated"
"""The transport and the runner."""
