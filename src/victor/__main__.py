"""The command `victor`. `--version` is answered before anything is loaded."""

from __future__ import annotations

import os
import signal
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

        code = run(arguments)
    except KeyboardInterrupt:
        code = 130
    # All is done: Ctrl-C once more, while Python ends, must not turn the exit code into a signal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


if __name__ == "__main__":
    main()
