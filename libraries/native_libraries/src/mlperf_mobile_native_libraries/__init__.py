"""Vendors' shared libraries and programs: opened, called and run, and what is wrong told."""
