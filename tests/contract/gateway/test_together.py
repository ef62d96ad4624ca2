"""Several messages go to Bird in one request; each comes to something of its own, and nobody gets one twice."""

import time
from collections.abc import Callable, Sequence

import attrs
import pytest
import pytest_twisted
from zope.interface.verify import verifyObject

from smsd.core.address import Msisdn
from smsd.core.bundle import bundle_name
from smsd.core.message import MAX_RECIPIENTS, Message
from smsd.core.outcome import Accepted, Found, HeldOff, PartlyRefused, Refused, Spared, Throttled, Unanswered
from smsd.core.report import Report
from smsd.ports import IBundler
from smsd.sandbox.script import DRAMA
from tests.contract.gateway.conftest import Place

Attempt = Callable[..., Message]
ANN, BOB, NOBODY = Msisdn("31612345001"), Msisdn("31612345002"), Msisdn(str(DRAMA + 422))


def bundled(*messages: Message) -> list[Message]:
    """``messages``, as if they all had begun to be sent in one request."""
    since = messages[0].tried_since or 0.0
    name = bundle_name((each.id for each in messages), since)
    return [attrs.evolve(each, bundle=name, tried_since=since) for each in messages]


def to(attempt: Attempt, *last_digits: int) -> list[Message]:
    return bundled(*(attempt(recipients=(Msisdn(str(DRAMA + each)),)) for each in last_digits))


def by_reference(place: Place, messages: Sequence[Message]) -> list[str]:
    """Bird's ids of ``messages``, in their order."""
    ids = {sms.reference: sms.id for sms in reversed(place.delivered)}
    return [ids[message.id] for message in messages]


def test_it_takes_several_in_one_request(nest: Place) -> None:
    assert verifyObject(IBundler, nest.gateway())


@pytest_twisted.ensureDeferred
async def test_each_is_taken_with_an_id_of_its_own(nest: Place, attempt: Attempt) -> None:
    messages = bundled(attempt(recipients=(BOB,)), attempt(recipients=(ANN, BOB)), attempt(recipients=(ANN,)))
    backwards = messages[::-1]
    outcomes = await nest.gateway().send_together(backwards)
    assert outcomes == [Accepted(provider_id=id) for id in by_reference(nest, backwards)]
    assert [sms.recipients[0] for sms in nest.delivered] == [int(each.digits) for each in (BOB, ANN, BOB, ANN)]


@pytest_twisted.ensureDeferred
async def test_a_request_carries_as_many_as_it_says(nest: Place, attempt: Attempt) -> None:
    gateway = nest.gateway()
    many = tuple(Msisdn(str(31600000000 + number)) for number in range(MAX_RECIPIENTS))
    messages = bundled(*(attempt(recipients=many) for _ in range(gateway.carries // MAX_RECIPIENTS)))
    assert {type(each) for each in await gateway.send_together(messages)} == {Accepted}
    assert len(nest.delivered) == gateway.carries == 100


@pytest.mark.parametrize("last_digits", [200, 206, 444, 499, 500, 502])
@pytest_twisted.ensureDeferred
async def test_the_same_ones_again_are_the_same_request_whatever_their_order(
    nest: Place, attempt: Attempt, last_digits: int
) -> None:
    gateway, messages = nest.gateway(), to(attempt, 100, last_digits, 101)
    unanswered = await gateway.send_together(messages)
    assert all(isinstance(each, Unanswered) and each.repeatable for each in unanswered)
    outcomes = await gateway.send_together(messages[::-1])
    assert outcomes == [Accepted(provider_id=id) for id in by_reference(nest, messages[::-1])]
    assert len(nest.delivered) == len(messages)


@pytest_twisted.ensureDeferred
async def test_who_is_refused_is_named_and_the_others_are_spared(nest: Place, attempt: Attempt) -> None:
    messages = bundled(attempt(), attempt(recipients=(NOBODY,)), attempt(recipients=(ANN, NOBODY, BOB)), attempt())
    spared, refused, partly, last = await nest.gateway().send_together(messages)
    assert isinstance(refused, Refused)
    assert "messages[1].to: cannot be routed" in refused.reason
    assert isinstance(partly, PartlyRefused)
    assert [number for number, _ in partly.reasons] == [NOBODY]
    assert all(isinstance(each, Spared) and each.half is None for each in (spared, last))
    assert nest.delivered == []


@pytest_twisted.ensureDeferred
async def test_a_text_that_cannot_be_written_is_found_by_halves(nest: Place, attempt: Attempt) -> None:
    outcomes = await nest.gateway().send_together(bundled(attempt(), attempt(), attempt(), attempt(body="\ud800")))
    assert [each.half for each in outcomes if isinstance(each, Spared)] == [0, 0, 1, 1]


@pytest.mark.parametrize(("last_digits", "kind"), [(401, HeldOff), (402, HeldOff), (429, Throttled)])
@pytest_twisted.ensureDeferred
async def test_what_any_would_have_met_all_meet(
    nest: Place, attempt: Attempt, last_digits: int, kind: type[object]
) -> None:
    outcomes = await nest.gateway().send_together(to(attempt, 100, last_digits))
    assert {type(each) for each in outcomes} == {kind}
    assert nest.delivered == []


@pytest_twisted.ensureDeferred
async def test_each_is_found_and_told_of_by_itself(nest: Place, attempt: Attempt) -> None:
    gateway, messages = nest.gateway(), bundled(attempt(), attempt())
    await gateway.send_together(messages)
    for message, id in zip(messages, by_reference(nest, messages), strict=True):
        assert await gateway.lookup(message) == Found(provider_id=id)
        (report,) = await gateway.reports(message)
        assert isinstance(report, Report)
        assert report.reference == message.id


@pytest_twisted.ensureDeferred
async def test_a_bundle_that_is_too_late_or_meets_a_closed_gateway_did_not_go(nest: Place, attempt: Attempt) -> None:
    gateway, messages = nest.gateway(), bundled(attempt(), attempt())
    late = await gateway.send_together(messages, by=time.monotonic() - 1.0)
    await gateway.close()
    closed = await gateway.send_together(messages)
    assert [type(each).__name__ for each in (*late, *closed)] == ["Postponed"] * 4
    assert nest.delivered == []
