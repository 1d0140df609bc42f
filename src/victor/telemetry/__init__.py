"""Exporters of analytics and metrics."""
