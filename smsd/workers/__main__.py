"""Runs a process that helps the daemon; only the daemon starts one. Usage: python -m smsd.workers accept|send."""

import sys
import time
from importlib import import_module

from twisted.internet.task import react

from smsd.workers.child import run

#: Each imports what only it needs.
_KINDS = {"accept": "smsd.workers.process", "send": "smsd.workers.sending"}


# As tap.py does for the daemon, this gives the clock.
react(run, (import_module(_KINDS[sys.argv[1]]).make, time.time, time.monotonic))  # noqa: TID251
