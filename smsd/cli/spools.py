"""Moves a backlog from one spool to another."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from importlib import import_module
from typing import Any, cast

import attrs
import click
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python.failure import Failure

from smsd.cli.clock import now
from smsd.cli.configuration import WrongSettings, loaded
from smsd.cli.connection import TryLater
from smsd.cli.output import Failed, counted, is_json, json_option, say, write_json
from smsd.cli.progress import progress
from smsd.core.errors import SmsdError
from smsd.core.notice import unmeasured
from smsd.pipeline.moving import Moved, Mover
from smsd.ports import IEngine
from smsd.settings import Settings, SettingsError
from smsd.settings.types import MemorySpoolUrl, SqliteSpoolUrl


@click.group()
@json_option
def spool() -> None:
    """Look after the spool, without the daemon."""


@spool.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("-c", "--config", help="A settings file. [default: smsd.toml in this folder, if it exists]")
@json_option
def copy(source: str, target: str, config: str | None) -> None:
    """Move all messages of one spool to another: both as SMSD_SPOOL has them, such as sqlite:///a.db.

    No daemon may run on FROM. What waits there waits on TO instead, and is held on FROM for good, so that nothing is
    sent twice. Was it cut off? The same command goes on from there.
    """
    settings = [loaded(config, spool=text) for text in (source, target)]
    if settings[0].spool == settings[1].spool:
        raise click.UsageError("FROM and TO are the same spool.")
    if any(isinstance(each.spool, MemorySpoolUrl) for each in settings):
        raise click.UsageError("What is in memory is its daemon's own, and ends with it.")
    file = settings[0].spool
    if isinstance(file, SqliteSpoolUrl) and not file.path.exists():
        raise Failed(f"There is no {file.path}.")
    moved = _run(lambda reactor: _copy(settings[0], settings[1], reactor))
    if is_json():
        write_json({"message": "The messages are moved", "status": "ok", **attrs.asdict(moved)})
    else:
        say(f"{counted(moved.moved, 'message')} moved, {moved.there} were there already.")
    if moved.sending:
        raise TryLater(f"{counted(moved.sending, 'message')} stayed, being sent right now: stop the daemon, then again")


async def _copy(source: Settings, target: Settings, reactor: Any) -> Moved:
    # Only for this: engines take longer to load than all else that smsctl does.
    engine_for = import_module("smsd.wiring.engines").engine_for
    engines: list[IEngine] = [engine_for(each, reactor, unmeasured, now) for each in (source, target)]
    opened: list[IEngine] = []
    try:
        for engine in engines:
            engine.open()
            opened.append(engine)
        total = sum((await engines[0].standing()).depth.values())
        with progress(total, 0) as told:
            mover = Mover(
                source=engines[0], target=engines[1], to=str(target.spool), now=now, tell=lambda done: told(done, "")
            )
            return await mover.move()
    finally:
        for engine in opened:
            await engine.close()


def _run(work: Callable[[Any], Coroutine[Deferred[Any], Any, Moved]]) -> Moved:
    """What ``work`` comes to on a reactor of its own. Raises what click shows."""
    results: list[Any] = []
    with suppress(SystemExit):
        react(lambda reactor: Deferred.fromCoroutine(work(reactor)).addBoth(results.append))
    if not results:
        raise click.Abort
    if isinstance(results[0], Failure):
        error = results[0].value
        if isinstance(error, SettingsError):
            raise WrongSettings(error.problems) from error
        if isinstance(error, SmsdError):
            raise Failed(str(error)) from error
        results[0].raiseException()
    return cast(Moved, results[0])
