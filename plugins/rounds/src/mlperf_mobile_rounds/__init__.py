"""Rounds of MLPerf Mobile: their rules, published results, submissions, and compliance tests.

To add a round, add it to ``rounds.yaml``, and its benchmarks to the ``suites.yaml`` of their tasks.
"""
