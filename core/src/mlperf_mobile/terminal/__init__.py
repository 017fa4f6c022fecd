"""Output on the terminal: progress of a run, plans and results."""
