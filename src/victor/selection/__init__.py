"""Strategies that choose which tools to offer."""
