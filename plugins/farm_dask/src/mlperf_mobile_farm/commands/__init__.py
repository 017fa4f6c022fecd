"""The commands ``mlperf-mobile farm ...``."""
