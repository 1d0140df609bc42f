"""Where sessions and checkpoints are kept."""
