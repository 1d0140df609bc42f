"""Suites of tasks, scorers, statistics and reports."""
