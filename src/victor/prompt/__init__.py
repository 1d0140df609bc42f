"""The built-in contributors to the system prompt."""
