"""Says how what a node wants is written down in the log.

An entry is a line of JSON that says who wrote it, and a piece of the JSON array of its commands.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

from smsd.core.callback import Callback
from smsd.core.claim import Claim
from smsd.core.errors import SpoolUnavailable
from smsd.core.message import Message
from smsd.core.quota import Quota
from smsd.core.report import Inbound
from smsd.core.trace import Traceparent
from smsd.spool import record
from smsd.spool.jobs import Append, Parcel

#: Version of the written form. A node that reads a newer one stops, until it is upgraded.
FORM: Final = 3
#: The first form, in which messages and callbacks had no trace.
UNTRACED: Final = 1
#: The last form in which a message had no portion.
WHOLE: Final = 2
#: Octets left for the first line of an entry.
HEAD: Final = 500
#: Octets from which a text is compressed: a shard of Kinesis takes a megabyte a second.
SMALL: Final = 2000

#: A verb, and what it is about; JSON can hold it.
Command = tuple[Any, ...]

APPEND: Final = "append"
CHANGE: Final = "change"
FORGET: Final = "forget"
BEAT: Final = "beat"
RECEIVE: Final = "receive"
CALLBACK: Final = "callback"
SILENCE: Final = "silence"
CLAIM_LANE: Final = "claim lane"
LEAVE_LANE: Final = "leave lane"

_JSON: Final = json.JSONEncoder(separators=(",", ":"))


class Newer(SpoolUnavailable):
    """The spool cannot be used: {reason}."""

    def __init__(self, *, form: object) -> None:
        super().__init__(reason=f"a newer smsd has written form {form}, this one must be upgraded to read it")


@attrs.frozen(kw_only=True)
class Entry:
    """A piece of what one node wants."""

    author: str  #: of one run of one node
    number: int  #: rising with each that the author writes; the same for all pieces of one
    epoch: int  #: in which the author has the lane, as it thinks; 0: it has not
    piece: int  #: from 0
    pieces: int
    text: bytes  #: of the commands, as much as is in this piece
    form: int = FORM  #: that it is written in


def entries(commands: Sequence[Command], *, author: str, number: int, epoch: int, largest: int) -> list[bytes]:
    """``commands`` as entries of at most ``largest`` octets, all or none of which will count."""
    text = _JSON.encode(commands).encode()
    if len(text) > SMALL:
        text = zlib.compress(text, 1)
    size = largest - HEAD
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return [
        _JSON.encode([FORM, author, number, epoch, piece, len(pieces)]).encode() + b"\n" + part
        for piece, part in enumerate(pieces)
    ]


def read(data: bytes) -> Entry | None:
    """The entry in ``data``; None for what is none. Raises Newer if a newer smsd has written it."""
    head, _, text = data.partition(b"\n")
    try:
        words = json.loads(head)
    except ValueError:
        return None
    match words:
        case [int(form), str(author), int(number), int(epoch), int(piece), int(pieces)] if UNTRACED <= form <= FORM:
            return Entry(author=author, number=number, epoch=epoch, piece=piece, pieces=pieces, text=text, form=form)
        case [int(form), str(), *_] if form > FORM:
            raise Newer(form=form)
        case _:
            return None


def commands(text: bytes, form: int = FORM) -> list[Command]:
    """The commands of a whole ``text`` of ``form``, in the words of FORM.

    Raises ValueError, TypeError and zlib.error if it is none of ours.
    """
    plain = text if text.startswith(b"[") else zlib.decompress(text)
    given = [tuple(each) for each in json.loads(plain)]
    if form <= UNTRACED:
        given = [_filled(each, "traceparent", "") for each in given]
    return [_filled(each, "portion", 0) for each in given] if form <= WHOLE else given


def _filled(command: Command, name: str, value: Any) -> Command:
    """``command`` as it would be if the messages in it had had the field ``name``, with this ``value``."""
    match command:
        case (verb, parcels, limit) if verb == APPEND:
            at = record.FIELDS.index(name)
            return (verb, [[[[*row[:at], value, *row[at:]] for row in rows], *more] for rows, *more in parcels], limit)
        case (verb, *words, life) if verb == CHANGE and name in record.LIFE:
            at = record.LIFE.index(name)
            return (verb, *words, [*life[:at], value, *life[at:]])
        case _:
            return command


def append(job: Append, promises: Sequence[str]) -> Command:
    """Keep what ``job`` appends; ``promises`` are what the idempotency key of each parcel will be answered with."""
    return (APPEND, [_parcel(parcel, answer) for parcel, answer in zip(job.parcels, promises, strict=True)], job.limit)


def _parcel(parcel: Parcel, answer: str) -> list[Any]:
    claim = parcel.claim
    words = None if claim is None else [claim.api_key, claim.key, claim.fingerprint, claim.at, claim.until, answer]
    return [parcel.rows, words, [attrs.astuple(quota) for quota in parcel.quotas]]


def read_append(parcels: Sequence[Any], limit: int) -> Append:
    """The job in the words of a command. Raises Newer if a newer smsd has written its messages."""
    return Append(parcels=[_read_parcel(*each) for each in parcels], limit=limit)


def _read_parcel(rows: Sequence[Any], claim: Any, quotas: Sequence[Any]) -> Parcel:
    if any(row[0] != record.FORM for row in rows):
        raise Newer(form=rows[0][0])
    return Parcel(
        rows=[tuple(row) for row in rows],
        claim=None if claim is None else _read_claim(*claim),
        quotas=[Quota(name=name, limit=limit, window_s=window_s) for name, limit, window_s in quotas],
    )


def _read_claim(api_key: str, key: str, fingerprint: str, at: float, until: float, answer: str) -> Claim:
    return Claim(api_key=api_key, key=key, fingerprint=fingerprint, at=at, until=until, answer=lambda place: answer)


def change(was: Message, after: Message, *, is_ours: bool) -> Command:
    """Put ``after`` in place of ``was``.

    With ``is_ours`` it counts only if we have the lane and the state is still the same; else if nothing has changed.
    """
    mark = "" if is_ours else fingerprint(was)
    return (CHANGE, was.id, was.state.value, mark, record.life(after))


def changed(stored: Message, life: Sequence[Any]) -> Message:
    """``stored`` as it is after a change to ``life``."""
    return record.from_row((*record.to_row(stored)[: len(record.FIXED)], *life[:-1]))


def fingerprint(message: Message, form: int = FORM) -> str:
    """Of what has become of ``message``: another for each other life, as a node that writes ``form`` makes it."""
    life = list(record.life(message)[:-1])
    if form <= WHOLE:
        del life[record.LIFE.index("portion")]
    return hashlib.sha256(_JSON.encode([life, message.body != ""]).encode()).hexdigest()[:24]


def receive(inbound: Inbound, callback: Callback | None) -> Command:
    """Keep an incoming message, and the callback that tells of it."""
    told = None if callback is None else _callback(callback)
    return (
        RECEIVE,
        [inbound.id, inbound.originator, inbound.recipient.digits, inbound.body, inbound.received_at],
        told,
    )


def callback(callback: Callback, after: Callback | None) -> Command:
    """Keep ``after`` in place of ``callback``, or nothing."""
    return (CALLBACK, _callback(callback), None if after is None else _callback(after))


def read_callback(words: Sequence[Any]) -> Callback:
    """The callback in the ``words`` of a command."""
    id, url, body, api_key, created_at, attempts, not_before, *more = words
    times = {"created_at": created_at, "attempts": attempts, "not_before": not_before}
    trace = Traceparent(more[0]) if any(more) else None
    return Callback(id=id, url=url, body=body.encode("latin-1"), api_key=api_key, trace=trace, **times)


def runs(commands: Sequence[Command]) -> Iterator[tuple[str, list[Command]]]:
    """``commands`` with those of one verb that follow one another together."""
    run: list[Command] = []
    for command in commands:
        if run and run[0][0] != command[0]:
            yield run[0][0], run
            run = []
        run.append(command)
    if run:
        yield run[0][0], run


def _callback(callback: Callback) -> list[Any]:
    # Octets as a text of the characters with their numbers.
    body = callback.body.decode("latin-1")
    times = (callback.created_at, callback.attempts, callback.not_before)
    trace = "" if callback.trace is None else callback.trace.text
    return [callback.id, callback.url, body, callback.api_key, *times, trace]
