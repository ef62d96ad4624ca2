"""A stored row says in which form it is written."""

import pytest

from smsd.spool import record


def test_a_row_of_a_newer_form_is_not_guessed_at():
    row = [record.FORM + 1, *([None] * (len(record.FIELDS) - 1))]
    with pytest.raises(ValueError, match=f"reads form {record.FORM} of a stored message, not {record.FORM + 1}"):
        record.from_row(row)
