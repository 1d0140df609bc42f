"""The benchmarks stand beside the package, so the project's own folder is looked in."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
