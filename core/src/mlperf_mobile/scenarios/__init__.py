"""The built-in scenarios, offered through the same hook as a plugin's."""
