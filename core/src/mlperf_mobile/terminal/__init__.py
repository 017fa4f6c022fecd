"""What people see: progress while a run goes on, and results."""
