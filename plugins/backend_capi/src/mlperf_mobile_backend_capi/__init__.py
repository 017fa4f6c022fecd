"""Vendors' backend libraries for the MLPerf Mobile app, run through their ``mlperf_backend_*`` C interface."""
