"""Reading, resizing and normalising images exactly as MLPerf Mobile's reference app does."""
