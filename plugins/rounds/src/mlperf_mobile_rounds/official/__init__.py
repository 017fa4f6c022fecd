"""Reads, writes and checks what the reference app and LoadGen write: logs, result files, submission trees."""
