"""MLPerf Mobile as plugins: a small core that knows hooks, plans, events and results."""
