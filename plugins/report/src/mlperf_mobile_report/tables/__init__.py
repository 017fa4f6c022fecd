"""Text tables of results and comparisons, also as CSV and Markdown."""
