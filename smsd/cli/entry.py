"""Starts ``smsctl``, and ends it with an exit code that a script can go by."""

import os
import sys
from typing import Final

import click

#: The exit code after Ctrl-C, as shells have it: 128 and the number of SIGINT.
INTERRUPTED: Final = 130


def main() -> int:
    """Run ``smsctl``; its exit code (see docs/cli.md)."""
    try:
        from smsd.cli.commands import smsctl  # within: Ctrl-C may come while it is being loaded

        ended = smsctl.main(prog_name="smsctl", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("\n")
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return int(error.exit_code)
    except BrokenPipeError:
        # Whoever read has seen enough; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return ended if isinstance(ended, int) else 0


if __name__ == "__main__":
    sys.exit(main())
