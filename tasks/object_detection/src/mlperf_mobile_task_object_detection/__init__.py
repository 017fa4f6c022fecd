"""Object detection: the task, its data set, its metric and its quickstart."""
