"""Any model: its speed on generated inputs or on those in a file."""
