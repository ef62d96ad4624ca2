"""Calls come over whole and in order, however the octets are cut."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from smsd.workers.link import Call, Link

calls = st.lists(st.tuples(st.text(max_size=5), st.integers(), st.binary(max_size=20), st.floats(allow_nan=False)))


@given(st.lists(calls, max_size=4), st.lists(st.integers(0, 300), max_size=8))
def test_what_is_sent_arrives(turns: list[list[Call]], cuts: list[int]) -> None:
    clock, written, taken = Clock(), bytearray(), list[Any]()
    here = Link(clock=clock, write=written.extend, take=print)
    there = Link(clock=clock, write=print, take=taken.extend)
    for turn in turns:
        for call in turn:
            here.send(call)
        clock.advance(0)
    edges = sorted({0, len(written), *(cut for cut in cuts if cut < len(written))})
    for start, end in pairwise(edges):
        there.received(bytes(written[start:end]))
    assert taken == [call for turn in turns for call in turn]


def test_what_is_sent_within_a_turn_goes_in_one_piece() -> None:
    clock, pieces = Clock(), list[bytes]()
    link = Link(clock=clock, write=pieces.append, take=print)
    link.send(("one",))
    link.send(("two",))
    assert pieces == []
    clock.advance(0)
    assert len(pieces) == 1
