"""Whatever a provider does, a gateway says what it means for the message."""

import socket
from collections.abc import Callable

import pytest
import pytest_twisted
from zope.interface.verify import verifyObject

from smsd.core.address import Msisdn, Originator
from smsd.core.alphabet import DataCoding
from smsd.core.message import Category, Message
from smsd.core.outcome import (
    Accepted,
    Found,
    HeldOff,
    Outcome,
    PartlyRefused,
    Postponed,
    Refused,
    Throttled,
    Unanswered,
)
from smsd.core.policy import Policy
from smsd.core.retry import Backoff
from smsd.core.settle import begin, settle
from smsd.ports import IGateway
from smsd.sandbox.script import DRAMA
from tests.contract.gateway.conftest import KEY, TIMEOUT_S, Place

Attempt = Callable[..., Message]
ANN, BOB = Msisdn("31612345001"), Msisdn("31612345002")
POLICY = Policy(backoff=Backoff(base_s=1.0, cap_s=60.0))
ENDINGS: list[tuple[int, type[Outcome], bool]] = [
    (200, Unanswered, True),
    (206, Unanswered, True),
    (401, HeldOff, False),
    (402, HeldOff, False),
    (422, Refused, False),
    (429, Throttled, False),
    (444, Unanswered, False),
    (499, Unanswered, True),
    (500, Unanswered, False),
    (502, Unanswered, True),
    (503, Unanswered, False),
]


def to(last_digits: int) -> tuple[Msisdn]:
    return (Msisdn(str(DRAMA + last_digits)),)


def test_it_is_a_gateway(place: Place) -> None:
    assert verifyObject(IGateway, place.gateway())


@pytest.mark.parametrize(("text", "coding"), [("Grüße, 5 €", DataCoding.PLAIN), ("Жар 🔥", DataCoding.UNICODE)])
@pytest_twisted.ensureDeferred
async def test_a_message_arrives_as_it_was_asked_for(
    place: Place, attempt: Attempt, text: str, coding: DataCoding
) -> None:
    message = attempt(recipients=(ANN,), body=text, coding=coding)
    outcome = await place.gateway().send(message)
    (sms,) = place.delivered
    assert outcome == Accepted(provider_id=sms.id)
    assert (sms.recipients, sms.originator, sms.body) == ((int(ANN.digits),), "MB", text)
    assert (sms.reference, sms.datacoding) == (message.id, coding)


@pytest_twisted.ensureDeferred
async def test_a_number_as_the_originator_is_the_same_number_there(place: Place, attempt: Attempt) -> None:
    await place.gateway().send(attempt(originator=Originator("31600000009")))
    assert place.delivered[0].originator.removeprefix("+") == "31600000009"


@pytest_twisted.ensureDeferred
async def test_a_message_to_several_reaches_each_once(place: Place, attempt: Attempt) -> None:
    assert isinstance(await place.gateway().send(attempt(recipients=(ANN, BOB))), Accepted)
    assert sorted(number for sms in place.delivered for number in sms.recipients) == [int(ANN.digits), int(BOB.digits)]


@pytest.mark.parametrize(("last_digits", "kind", "has_it"), ENDINGS)
@pytest_twisted.ensureDeferred
async def test_each_ending_means_one_thing(
    place: Place, attempt: Attempt, last_digits: int, kind: type[Outcome], has_it: bool
) -> None:
    outcome = await place.gateway().send(attempt(recipients=to(last_digits)))
    assert type(outcome) is kind
    assert bool(place.delivered) is has_it


@pytest_twisted.ensureDeferred
async def test_an_answer_that_is_late_may_still_come(place: Place, attempt: Attempt) -> None:
    outcome = await place.gateway(timeout_s=TIMEOUT_S).send(attempt(recipients=to(408)))
    assert isinstance(outcome, Unanswered)
    assert outcome.late


@pytest_twisted.ensureDeferred
async def test_a_wrong_key_holds_all_off(place: Place, attempt: Attempt) -> None:
    assert isinstance(await place.gateway(key="test_otherkey").send(attempt()), HeldOff)


@pytest_twisted.ensureDeferred
async def test_where_nobody_listens_it_is_postponed(place: Place, attempt: Attempt) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert isinstance(await place.gateway(url=url).send(attempt()), Postponed)


@pytest_twisted.ensureDeferred
async def test_no_reason_holds_key_text_or_number(place: Place, attempt: Attempt) -> None:
    (number,) = to(422)
    outcome = await place.gateway().send(attempt(recipients=(number,), body="between you and me"))
    assert isinstance(outcome, Refused)
    assert not any(word in outcome.reason for word in (KEY, "between you and me", number.digits))


@pytest_twisted.ensureDeferred
async def test_a_text_that_cannot_be_written_is_refused(place: Place, attempt: Attempt) -> None:
    assert isinstance(await place.gateway().send(attempt(body="\ud800")), Refused)
    assert place.site.connections == 0


@pytest_twisted.ensureDeferred
async def test_one_message_after_another_goes_over_one_connection(place: Place, attempt: Attempt) -> None:
    gateway = place.gateway(threads=1)
    for _ in range(3):
        await gateway.send(attempt())
    assert (len(place.delivered), place.site.connections) == (3, 1)


@pytest_twisted.ensureDeferred
async def test_a_closed_gateway_postpones(place: Place, attempt: Attempt) -> None:
    gateway = place.gateway()
    await gateway.close()
    assert isinstance(await gateway.send(attempt()), Postponed)
    assert place.delivered == []


@pytest_twisted.ensureDeferred
async def test_whom_a_provider_has_refused_is_sent_nothing_by_any(place: Place, attempt: Attempt) -> None:
    gateway, message = place.gateway(), attempt(recipients=(ANN, BOB))
    refused = PartlyRefused(reasons=((ANN, "no number of a phone"),))
    rest = begin(settle(message, refused, message.accepted_at, POLICY, 0.5), message.accepted_at, "test")
    sent = await gateway.send(rest)
    assert [number for sms in place.delivered for number in sms.recipients] == [int(BOB.digits)]
    assert isinstance(sent, Accepted)
    assert await gateway.lookup(rest) == Found(provider_id=sent.provider_id)


@pytest_twisted.ensureDeferred
async def test_a_message_may_have_a_category_of_its_own(place: Place, attempt: Attempt) -> None:
    gateway = place.gateway()
    for category in (None, Category.MARKETING):
        await gateway.send(attempt(category=category))
    told = [sms.type for sms in place.delivered]
    assert told in (["transactional", "marketing"], ["sms", "sms"])  # the classic API has no such field
