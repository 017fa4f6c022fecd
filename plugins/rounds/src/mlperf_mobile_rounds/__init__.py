"""Rounds of MLPerf Mobile: their rules, published results, submissions, and compliance tests."""
