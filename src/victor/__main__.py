"""The command `victor`. `--version` is answered before anything is loaded."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    # `python -m` looks for modules in the folder that it is started in first, which is a project's.
    if sys.path and sys.path[0] in ("", os.getcwd()):  # noqa: PTH109  # as Python has put it there
        del sys.path[0]
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from victor import __version__

        sys.stdout.write(f"victor {__version__}\n")
        return
    try:
        from victor.cli.app import run
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run(arguments))


if __name__ == "__main__":
    main()
