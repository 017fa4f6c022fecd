"""Opens vendors' shared libraries and runs their programs, with errors that say what is wrong."""
