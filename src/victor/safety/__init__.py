"""Permission rules, and the analysis of commands."""
