"""The core of mlperf-mobile: hooks, plans, runs and results."""
