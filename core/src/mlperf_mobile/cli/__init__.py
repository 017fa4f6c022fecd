"""The command ``mlperf-mobile``: one module a command, heavy imports inside the command."""
