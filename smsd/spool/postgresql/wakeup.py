"""Hears from the server that another node has left something to do."""

import socket
from collections.abc import Callable
from select import select
from threading import Thread
from typing import Final

import psycopg

from smsd.spool.postgresql.link import Link

#: Seconds between two tries to reach the server; who waits to be woken looks by himself meanwhile.
AGAIN_S: Final = 1.0


class Wakeup:
    """A thread that listens on a channel."""

    def __init__(self, link: Link, channel: str, wake: Callable[[], None]) -> None:
        """``wake`` is called on the thread, once however many notices came together."""
        self._link = link
        self._channel = channel
        self._wake = wake
        self._thread = Thread(target=self._run, name="smsd-spool-listen", daemon=True)
        self._ending, self._end = socket.socketpair()

    def start(self) -> None:
        """Begin to listen; does not wait for the server."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more; returns when the thread is gone."""
        self._end.close()
        self._thread.join()
        self._ending.close()

    def _run(self) -> None:
        while True:
            try:
                self._link.execute(f"LISTEN {self._channel}")
                self._wake()  # whatever came while nobody listened
                if self._hear():
                    return self._link.close()
            except psycopg.Error:
                if select([self._ending], [], [], AGAIN_S)[0]:
                    return self._link.close()

    def _hear(self) -> bool:
        """Listen until the end. Raises psycopg.Error once the connection is gone."""
        connection = self._link.connection
        while self._ending.fileno() not in select([connection.fileno(), self._ending.fileno()], [], [])[0]:
            if list(connection.notifies(timeout=0)):
                self._wake()
        return True
