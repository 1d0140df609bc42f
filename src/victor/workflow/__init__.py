"""Workflows: from YAML or Python to a typed graph, and its run."""
