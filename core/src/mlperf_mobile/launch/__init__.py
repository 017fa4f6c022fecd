"""Starts a worker, listens to it, and makes a Result of what it said."""
