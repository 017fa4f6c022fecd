"""Comparisons, leaderboards and HTML reports of results."""
