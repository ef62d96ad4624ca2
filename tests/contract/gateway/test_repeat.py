"""What Bird may have is sent again under the same key, and a person gets it once."""

from collections.abc import Callable

import attrs
import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults

from smsd.core.address import Msisdn
from smsd.core.message import Message
from smsd.core.outcome import Accepted, HeldOff, LookupFailed, PartlyRefused, Unanswered
from smsd.core.policy import Policy
from smsd.core.report import DeliveryStatus
from smsd.core.retry import Backoff
from smsd.core.settle import begin, settle
from smsd.sandbox.script import DRAMA
from tests.contract.gateway.conftest import TIMEOUT_S, Place

Attempt = Callable[..., Message]
ANN, BOB, NOBODY = Msisdn("31612345001"), Msisdn("31612345002"), Msisdn(str(DRAMA + 422))
POLICY = Policy(backoff=Backoff(base_s=1.0, cap_s=60.0))


@pytest.mark.parametrize("last_digits", [200, 206, 444, 499, 500, 502])
@pytest_twisted.ensureDeferred
async def test_a_repeat_of_what_was_not_answered_is_taken_once(nest: Place, attempt: Attempt, last_digits: int) -> None:
    gateway, message = nest.gateway(), attempt(recipients=(Msisdn(str(DRAMA + last_digits)),))
    assert isinstance(await gateway.send(message), Unanswered)
    repeated = attrs.evolve(message, attempts=2, attempted_at=message.accepted_at + 9.0)
    outcome = await gateway.send(repeated)
    (sms,) = nest.delivered
    assert outcome == Accepted(provider_id=sms.id)


@pytest_twisted.ensureDeferred
async def test_a_batch_is_repeated_as_a_whole(nest: Place, attempt: Attempt) -> None:
    gateway, message = nest.gateway(), attempt(recipients=(ANN, Msisdn(str(DRAMA + 499))))
    assert isinstance(await gateway.send(message), Unanswered)
    assert isinstance(await gateway.send(message), Accepted)
    assert len(nest.delivered) == 2


@pytest_twisted.ensureDeferred
async def test_a_repeat_beside_the_request_that_is_under_way_may_be_repeated(nest: Place, attempt: Attempt) -> None:
    gateway, message = nest.gateway(timeout_s=TIMEOUT_S), attempt(recipients=(Msisdn(str(DRAMA + 408)),))
    # The second is asked while the first waits for its late answer.
    first, second = gateway.send(message), gateway.send(message)
    outcomes = await gatherResults([Deferred.fromCoroutine(first), Deferred.fromCoroutine(second)])
    assert all(isinstance(each, Unanswered) and each.repeatable for each in outcomes)
    assert len(nest.delivered) == 1


@pytest_twisted.ensureDeferred
async def test_a_key_that_was_used_for_something_else_is_of_no_more_use(nest: Place, attempt: Attempt) -> None:
    gateway, message = nest.gateway(), attempt()
    await gateway.send(message)
    outcome = await gateway.send(attrs.evolve(message, body="another text"))
    assert isinstance(outcome, Unanswered)
    assert not outcome.repeatable


@pytest_twisted.ensureDeferred
async def test_a_refusal_is_not_given_again_to_the_next_attempt(nest: Place, attempt: Attempt) -> None:
    gateway, message = nest.gateway(), attempt(recipients=(Msisdn(str(DRAMA + 402)),))
    for again in range(2):  # Bird remembers a 402 under its key, like any answer of 2xx or 4xx
        outcome = await gateway.send(message)
        assert isinstance(outcome, HeldOff)
        now = message.accepted_at + 10.0 * (again + 1)
        message = begin(settle(message, outcome, now, POLICY, 0.5), now, "bird")
    assert isinstance(await gateway.send(message), Accepted)


@pytest_twisted.ensureDeferred
async def test_one_that_is_refused_does_not_take_the_others_down(nest: Place, attempt: Attempt) -> None:
    gateway, message = nest.gateway(), attempt(recipients=(ANN, NOBODY, BOB))
    refused = await gateway.send(message)
    assert isinstance(refused, PartlyRefused)
    assert [number for number, _ in refused.reasons] == [NOBODY]
    now = message.accepted_at + 1.0
    rest = begin(settle(message, refused, now, POLICY, 0.5), now, "bird")
    assert isinstance(await gateway.send(rest), Accepted)
    assert [sms.recipients for sms in nest.delivered] == [(int(ANN.digits),), (int(BOB.digits),)]


@pytest_twisted.ensureDeferred
async def test_the_provider_tells_what_became_of_each_recipient(nest: Place, attempt: Attempt) -> None:
    gateway, message = nest.gateway(), attempt(recipients=(ANN, BOB))
    await gateway.send(message)
    reports = await gateway.reports(message)
    assert not isinstance(reports, LookupFailed)
    assert [(each.recipient, each.reference) for each in reports] == [(ANN, message.id), (BOB, message.id)]
    assert {each.status for each in reports} == {DeliveryStatus.SCHEDULED}
