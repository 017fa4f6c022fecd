"""A farm: devices on many lab hosts, offered to everybody by one Dask scheduler."""
