"""Reads, writes and checks what the reference app and LoadGen write: logs, result files, submission trees.

To add a file format, add a module that reads or writes it.
"""
