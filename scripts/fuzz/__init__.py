"""Inputs that nobody should send, to everything that takes any: `fixring fuzz`."""
