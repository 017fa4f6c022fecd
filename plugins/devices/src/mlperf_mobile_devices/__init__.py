"""Runs on other devices: their shell, their store of files, detached runs, and the runner for boards with Python."""
