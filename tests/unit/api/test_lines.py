"""However octets come in, the batches are the same."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.api.lines import LINE_LIMIT, LINES, Batch, Lines, LineTooLong


def batches(pieces: list[bytes], first: int = 1) -> list[Batch]:
    lines = Lines(first)
    found = [batch for piece in pieces for batch in lines.feed(piece)]
    return [*found, *lines.end()]


@given(st.integers(0, 2500), st.booleans(), st.lists(st.integers(0, 20_000), max_size=6))
def test_lines_are_cut_alike_wherever_the_octets_are(count: int, ends: bool, cuts: list[int]) -> None:
    whole = b"\n".join(b"line %d" % number for number in range(1, count + 1)) + (b"\n" if ends and count else b"")
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    found = batches([whole[start:end] for start, end in pairwise(edges)])
    assert found == batches([whole])
    assert [line for batch in found for line in batch.lines] == [b"line %d" % each for each in range(1, count + 1)]
    assert [batch.first for batch in found] == list(range(1, count + 1, LINES))


def test_a_resumed_upload_has_the_same_batches_from_there_on() -> None:
    whole = [b"line %d\n" % number for number in range(1, 2501)]
    assert batches(whole)[1:] == batches(whole[LINES:], first=LINES + 1)


def test_a_line_without_end_is_not_collected() -> None:
    with pytest.raises(LineTooLong, match="Line 2"):
        batches([b"first\n", *[b"x" * 1000] * (LINE_LIMIT // 1000 + 1)])
