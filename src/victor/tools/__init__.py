"""The built-in tools, and the decorator that makes one of a function."""
