"""What is in a log may be read by a newer smsd, for years."""

import json

import attrs
import pytest

from smsd.core.callback import Callback
from smsd.core.settle import cancel
from smsd.spool import record
from smsd.spool.stream import command
from tests.messages import sms

#: The columns of a row, by the form of the log that has them so.
COLUMNS = {
    1: "form id recipients originator body coding segments api_key accepted_at priority batch reference callback_url "
    "category valid_until state changed_at not_before gateway attempts attempted_at tried_since bundle asks_first "
    "sent_at provider_id deliveries attend_at is_held error history",
    2: "form id recipients originator body coding segments api_key accepted_at priority batch reference callback_url "
    "category traceparent valid_until state changed_at not_before gateway attempts attempted_at tried_since bundle "
    "asks_first sent_at provider_id deliveries attend_at is_held error history",
    3: "form id recipients originator body coding segments api_key accepted_at priority batch reference callback_url "
    "category traceparent valid_until state changed_at not_before gateway attempts attempted_at tried_since bundle "
    "asks_first portion sent_at provider_id deliveries attend_at is_held error history",
}


def test_rows_of_another_shape_are_another_form() -> None:
    # Red? A column came or went: raise command.FORM, have command.commands fill in what the older form has not, and
    # add the new form here.
    assert COLUMNS[command.FORM].split() == list(record.FIELDS)


def test_a_log_from_before_there_were_traces_is_read() -> None:
    message = sms()
    row = dict(zip((*record.FIELDS, "ready"), record.to_row(message), strict=True))
    old = [row[name] for name in (*COLUMNS[1].split(), "ready")]
    owed = ["in-1", "https://example.com/hook", "{}", "demo", 1.0, 0, 1.0]
    text = json.dumps([["append", [[[old], None, []]], 9], ["callback", owed, None]])
    entry = command.read(f'[1, "a", 1, 0, 0, 1]\n{text}'.encode())
    assert entry is not None
    (_, *append), (_, callback, _) = command.commands(entry.text, entry.form)
    [[found]] = [parcel.rows for parcel in command.read_append(*append).parcels]
    assert record.from_row(found[: len(record.FIELDS)]) == message
    assert command.read_callback(callback) == Callback(
        id="in-1", url="https://example.com/hook", body=b"{}", api_key="demo", created_at=1.0, not_before=1.0
    )


def test_a_change_from_before_there_were_portions_is_read_and_counts() -> None:
    message = sms()
    canceled = cancel(message, 9.0)
    places = [(*record.LIFE, "ready").index(name) for name in COLUMNS[2].split() if name in record.LIFE] + [-1]
    life = [record.life(canceled)[place] for place in places]
    text = json.dumps([["change", message.id, "queued", command.fingerprint(message, 2), life]])
    entry = command.read(f'[2, "a", 1, 0, 0, 1]\n{text}'.encode())
    assert entry is not None
    [(_, _, _, mark, life)] = command.commands(entry.text, entry.form)
    assert command.changed(message, life) == canceled
    assert mark == command.fingerprint(message, entry.form)
    assert mark != command.fingerprint(message)


@pytest.mark.parametrize("form", [2, 3])
def test_another_life_has_another_fingerprint(form: int) -> None:
    message = sms()
    assert command.fingerprint(message, form) != command.fingerprint(attrs.evolve(message, attempts=1), form)
