import math
import pickle
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from smsd.core.outcome import Unanswered
from smsd.workers.link import Link
from smsd.workers.sending import SendProcess


def test_a_message_that_cannot_even_be_read_is_answered_for() -> None:
    clock = Clock()
    process = SendProcess(clock, lambda: 0.0, clock.seconds)
    process.makeConnection(StringTransport())
    process.carry_out(("send", 7, [("nonsense",), ("nonsense",)], math.inf))
    clock.advance(0)
    heard: list[Any] = []
    Link(clock=clock, write=heard.append, take=heard.extend).received(process.transport.value())
    [(word, number, outcomes)] = heard
    assert (word, number) == ("sent", 7)
    assert [type(each) for each in pickle.loads(outcomes)] == [Unanswered, Unanswered]
