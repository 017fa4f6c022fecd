"""From defaults, task, suite, run file, environment and flags to Plans; every value knows where it came from."""
