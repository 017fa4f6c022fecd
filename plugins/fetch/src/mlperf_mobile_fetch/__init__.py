"""Downloads models and data into the cache: resumed, checked, unpacked safely."""
