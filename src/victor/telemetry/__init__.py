"""Exporters of analytics and metrics."""

from victor.telemetry.console import ConsoleAnalyticsExporter
from victor.telemetry.json_lines import JsonLinesAnalyticsExporter

__all__ = ["ConsoleAnalyticsExporter", "JsonLinesAnalyticsExporter"]
