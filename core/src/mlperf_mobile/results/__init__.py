"""The Result of a run, and the folder that holds it."""
