"""Runs the same samples on two backends, models or settings, and shows where their numbers part."""
