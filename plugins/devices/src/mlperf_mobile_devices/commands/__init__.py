"""The commands for devices."""
