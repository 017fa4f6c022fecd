"""Commands that show many results: report, compare and leaderboard."""
