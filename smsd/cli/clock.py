"""The one place of ``smsctl`` with the real clock."""

import time


def now() -> float:
    """UTC epoch seconds."""
    return time.time()  # noqa: TID251 - the edge of the program, as tap.py is of the daemon


def wait(seconds: float) -> None:
    """Do nothing for so long."""
    time.sleep(seconds)
