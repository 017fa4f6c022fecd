"""Qualcomm backend of MLPerf Mobile."""
