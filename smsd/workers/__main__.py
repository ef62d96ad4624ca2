"""Runs a process that helps the daemon; only the daemon starts one. Usage: python -m smsd.workers accept|send."""

import signal
import sys
import time
from importlib import import_module

#: Each imports what only it needs.
_KINDS = {"accept": "smsd.workers.process", "send": "smsd.workers.sending"}

# A terminal's Ctrl-C is for the daemon, and may come before the rest is imported.
signal.signal(signal.SIGINT, signal.SIG_IGN)
react, run = import_module("twisted.internet.task").react, import_module("smsd.workers.child").run
# As tap.py does for the daemon, this gives the clock.
react(run, (import_module(_KINDS[sys.argv[1]]).make, time.time, time.monotonic))  # noqa: TID251
