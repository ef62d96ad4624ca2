"""What is in a log may be read by a newer smsd, for years."""

from smsd.spool import record
from smsd.spool.stream import command

#: The columns of a row, by the form of the log that has them so.
COLUMNS = {
    1: "form id recipients originator body coding segments api_key accepted_at priority batch reference callback_url "
    "category valid_until state changed_at not_before gateway attempts attempted_at tried_since bundle asks_first "
    "sent_at provider_id deliveries attend_at is_held error history"
}


def test_rows_of_another_shape_are_another_form() -> None:
    # Red? A column came or went: raise command.FORM, have command.commands fill in what the older form has not, and
    # add the new form here.
    assert COLUMNS[command.FORM].split() == list(record.FIELDS)
