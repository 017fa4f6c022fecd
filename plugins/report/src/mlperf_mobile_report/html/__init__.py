"""Results as one self-contained HTML file: no script, no picture, no network."""
