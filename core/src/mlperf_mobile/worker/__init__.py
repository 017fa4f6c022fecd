"""The process that runs one Plan: reads it on stdin, writes Events, and never outlives its run."""
