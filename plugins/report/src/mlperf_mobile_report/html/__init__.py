"""Results as one HTML file that needs nothing else: no script, no picture, no network."""
