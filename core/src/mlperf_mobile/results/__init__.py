"""What a run leaves behind: the Result, and the folder that holds it."""
