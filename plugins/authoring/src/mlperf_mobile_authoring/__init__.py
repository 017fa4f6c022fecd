"""Tools for authors of plugins: new projects that work at once."""
