"""Several runs as one: their order, the rest between them, how long they take, going on after an interruption."""
