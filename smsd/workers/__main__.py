"""Runs an accept process; only the daemon starts one."""

import time

from twisted.internet.task import react

from smsd.workers.process import run

react(run, (time.time, time.monotonic))  # noqa: TID251 - as tap.py does for the daemon, this gives the clock
