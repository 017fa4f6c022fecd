"""Starts a worker, listens to its events, and composes the Result from them."""
