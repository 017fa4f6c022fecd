"""Results side by side: ratios with intervals, and all differences in settings and environment."""
