"""Scenarios for engineers, which MLPerf Mobile does not have: multi-stream, server and token-sweep."""
