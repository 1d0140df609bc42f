"""The orchestrator, the turn, and the coordinators it calls."""
