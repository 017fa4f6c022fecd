"""A task of mlperf-mobile: which keyword a short recording has."""
