"""What holds for every benchmark of a round of MLPerf Mobile."""
