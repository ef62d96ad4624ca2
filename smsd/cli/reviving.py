"""Has archived dead letters sent once more, each once."""

from typing import Any

import attrs
import click

from smsd.cli.cabinet import Cabinet, day_option, pass_cabinet, told
from smsd.cli.clock import now
from smsd.cli.connection import Connection, Refused, pass_connection
from smsd.cli.output import Failed, is_json, json_option, say, write_json
from smsd.cli.posting import REMEMBERED_S
from smsd.cli.receipts import Receipt, Receipts
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.moment import moment


@attrs.frozen(kw_only=True)
class Revival:
    """What became of one letter."""

    id: str | None  #: of the message that it is now, if that is known
    done: str  #: in words
    is_good: bool = True  #: whether nothing is left to do


class Reviver:
    """Sends letters once more through one smsd, with what the archive knows of earlier times."""

    def __init__(self, connection: Connection, cabinet: Cabinet, *, is_unsure_again: bool) -> None:
        """``is_unsure_again``: what nobody can tell of is posted again all the same."""
        self._connection = connection
        self._cabinet = cabinet
        self._receipts = Receipts(cabinet)
        self._is_unsure_again = is_unsure_again

    def revive(self, key: str) -> Revival:
        """Have the letter ``key`` sent, unless it was. Raises Failed and ArchiveFailed."""
        message = self._cabinet.message(key)
        try:
            state = self._connection.ask("GET", f"/sms/{message.id}")["state"]
        except Refused as refused:
            if refused.status != 404:
                raise
            return self._post(key, message)
        if state != State.DEAD.value:
            return Revival(id=message.id, done=f"left alone: it is {state}")
        self._connection.ask("POST", f"/sms/{message.id}/replay")
        return Revival(id=message.id, done="queued again")

    def _post(self, key: str, message: Message) -> Revival:
        mine = Receipt(at=now(), url=self._connection.url)
        if taken := self._receipts.taken(key):
            return Revival(id=taken.id, done=f"left alone: it went to {taken.url} at {moment(taken.at)}")
        asked = self._receipts.asked(key, mine)
        if not self._is_unsure_again and (asked.url != mine.url or mine.at - asked.at > REMEMBERED_S):
            why = f"left alone: whether it was taken at {moment(asked.at)} by {asked.url}, nobody knows"
            return Revival(id=None, done=f"{why}; --in-doubt again posts it", is_good=False)
        # One letter is one death, and goes once: with its key smsd knows a second try.
        id = self._connection.post(_body(message), f"{message.id}-{message.changed_at:.3f}")["id"]
        self._receipts.taken(key, attrs.evolve(mine, id=id))
        return Revival(id=id, done="sent once more")


@click.command()
@click.argument("keys", nargs=-1, metavar="[KEY...]")
@day_option
@click.option("--all", "is_all", is_flag=True, help="Every letter.")
@click.option("--in-doubt", type=click.Choice(["again"]), help="Post again what nobody can tell of, too.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_cabinet
@pass_connection
def replay(
    connection: Connection,
    cabinet: Cabinet,
    /,
    keys: tuple[str, ...],
    day: str,
    is_all: bool,
    in_doubt: str | None,
    yes: bool,
) -> None:
    """Have letters sent once more: those named, those of a --day, or --all.

    A message that smsd still has as dead is queued again there; one that it has in any other state is left alone, as
    is a letter that was sent once more before: the archive remembers.
    """
    if [bool(keys), bool(day), is_all].count(True) != 1:
        raise click.UsageError("Name letters, or say --day or --all.")
    reviver = Reviver(connection, cabinet, is_unsure_again=in_doubt is not None)
    with told():
        chosen = list(keys) or list(cabinet.keys(day))
        if not yes:
            click.confirm(f"Send {len(chosen)} messages once more?", abort=True, err=True)
        # All of them, though one be refused.
        undone = [key for key in chosen if not _told_of(key, reviver)]
        if undone:
            raise click.exceptions.Exit(Failed.exit_code)


def _told_of(key: str, reviver: Reviver) -> bool:
    """Whether nothing is left to do for the letter ``key``."""
    try:
        revival = reviver.revive(key)
    except Refused as refused:
        if refused.status == 401:
            raise  # so it would be for every letter
        revival = Revival(id=None, done=f"refused: {refused.message}", is_good=False)
    if is_json():
        write_json({"key": key, "id": revival.id, "done": revival.done})
    else:
        say(f"{key}: {revival.done}" + (f" ({revival.id})" if revival.id else ""))
    return revival.is_good


def _body(message: Message) -> dict[str, Any]:
    """``message`` as ``POST /sms`` takes it; without its validity, which may be over."""
    numbers = [each.digits for each in message.remaining or message.recipients]
    return {
        **({"recipient": numbers[0]} if len(numbers) == 1 else {"recipients": numbers}),
        "originator": message.originator.text,
        "message": message.body,
        "datacoding": message.coding.value,
        "priority": message.priority.name.lower(),
        **({"category": message.category.value} if message.category else {}),
        **({"reference": message.reference} if message.reference else {}),
        **({"callback_url": message.callback_url} if message.callback_url else {}),
    }
