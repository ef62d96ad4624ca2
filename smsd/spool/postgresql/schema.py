"""Brings a database to the schema of this smsd, or says why it cannot be a spool."""

from importlib import resources
from typing import Any, Final

from psycopg import Connection

from smsd.core.errors import SpoolRefused

#: "smsd" in ASCII: whichever node holds this advisory lock migrates, the others wait.
LOCK: Final = 0x736D7364
#: The oldest server that is tested.
OLDEST_SERVER: Final = 14


def migrations() -> tuple[str, ...]:
    """The SQL that leads from each version of the schema to the next; the first makes version 1."""
    folder = resources.files("smsd.spool.postgresql") / "sql"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return tuple(file.read_text(encoding="utf-8") for file in files if file.name.endswith(".sql"))


def prepare(connection: Connection[Any], scripts: tuple[str, ...]) -> None:
    """Bring the schema up to date with ``scripts``, all or none. Raises SpoolRefused and psycopg.Error."""
    if connection.info.server_version < OLDEST_SERVER * 10_000:
        server = connection.info.parameter_status("server_version")
        raise SpoolRefused(reason=f"PostgreSQL {server} is too old, {OLDEST_SERVER} is the oldest that will do")
    if (encoding := connection.info.parameter_status("server_encoding")) != "UTF8":
        raise SpoolRefused(reason=f"its encoding is {encoding}, which cannot hold every text; make one in UTF8")
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        version = _version(connection)
        if version > len(scripts):
            raise SpoolRefused(reason=f"its schema has version {version}, this smsd knows {len(scripts)}: upgrade smsd")
        for number, script in enumerate(scripts[version:], version + 1):
            connection.execute(script)
            connection.execute("INSERT INTO smsd_schema (version) VALUES (%s)", (number,))


def _version(connection: Connection[Any]) -> int:
    if _value(connection, "SELECT to_regclass('smsd_schema')") is None:
        if _value(connection, "SELECT to_regclass('message')") is not None:
            raise SpoolRefused(reason="it has a table message of another program: give smsd a database of its own")
        connection.execute("CREATE TABLE smsd_schema (version INTEGER PRIMARY KEY)")
    return int(_value(connection, "SELECT coalesce(max(version), 0) FROM smsd_schema"))


def _value(connection: Connection[Any], sql: str) -> Any:
    row = connection.execute(sql).fetchone()
    return None if row is None else row[0]
