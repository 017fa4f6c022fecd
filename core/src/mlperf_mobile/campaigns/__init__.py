"""Campaigns of several runs: order, cool-down, estimated duration, resuming after an interruption."""
