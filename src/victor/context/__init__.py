"""Token counting, compaction strategies, and the pairing check."""
