"""Boards and other Linux machines as devices, over the OpenSSH client."""
