"""A gateway tells whether the provider has a message, or that it cannot be told."""

import time
from collections.abc import Callable

import attrs
import pytest
import pytest_twisted

from smsd.core.address import Msisdn
from smsd.core.message import Message
from smsd.core.outcome import Accepted, Found, LookupFailed, NotFound
from smsd.sandbox.script import DRAMA
from tests.contract.gateway.conftest import Place

Attempt = Callable[..., Message]
ANN, BOB = Msisdn("31612345001"), Msisdn("31612345002")


@pytest.mark.parametrize("last_digits", [200, 206, 499, 502])
@pytest_twisted.ensureDeferred
async def test_what_it_has_in_spite_of_all_is_found(place: Place, attempt: Attempt, last_digits: int) -> None:
    gateway, message = place.gateway(), attempt(recipients=(Msisdn(str(DRAMA + last_digits)),))
    await gateway.send(message)
    assert await gateway.lookup(message) == Found(provider_id=place.delivered[0].id)


@pytest.mark.parametrize("last_digits", [444, 500])
@pytest_twisted.ensureDeferred
async def test_what_it_does_not_have_is_not_found(place: Place, attempt: Attempt, last_digits: int) -> None:
    number = Msisdn(str(DRAMA + last_digits))
    gateway, message = place.gateway(), attempt(recipients=(number,))
    await gateway.send(message)
    assert await gateway.lookup(message) == NotFound()


@pytest_twisted.ensureDeferred
async def test_another_message_to_the_same_number_is_not_it(place: Place, attempt: Attempt) -> None:
    gateway, message = place.gateway(), attempt()
    await gateway.send(attempt())
    assert await gateway.lookup(message) == NotFound()


@pytest_twisted.ensureDeferred
async def test_a_message_to_several_is_found(place: Place, attempt: Attempt) -> None:
    gateway, message = place.gateway(), attempt(recipients=(ANN, BOB))
    sent = await gateway.send(message)
    assert isinstance(sent, Accepted)
    assert await gateway.lookup(message) == Found(provider_id=sent.provider_id)


@pytest_twisted.ensureDeferred
async def test_one_below_the_first_page_is_found(place: Place, attempt: Attempt) -> None:
    gateway, message = place.gateway(), attempt()
    sent = await gateway.send(message)
    for _ in range(110):
        await gateway.send(attempt())
    assert isinstance(sent, Accepted)
    assert await gateway.lookup(message) == Found(provider_id=sent.provider_id)


@pytest_twisted.ensureDeferred
async def test_what_was_tried_long_after_it_was_accepted_is_found(place: Place, attempt: Attempt) -> None:
    gateway, message = place.gateway(), attempt()
    await gateway.send(message)
    assert isinstance(await gateway.lookup(attrs.evolve(message, accepted_at=0.0)), Found)


@pytest_twisted.ensureDeferred
async def test_it_is_found_though_our_clock_was_set_an_hour_ahead_meanwhile(place: Place, attempt: Attempt) -> None:
    message = attempt()
    await place.gateway().send(message)
    assert isinstance(await place.gateway(now=lambda: time.time() + 3600.0).lookup(message), Found)


@pytest_twisted.ensureDeferred
async def test_a_wrong_key_or_a_closed_gateway_cannot_tell(place: Place, attempt: Attempt) -> None:
    assert isinstance(await place.gateway(key="test_otherkey").lookup(attempt()), LookupFailed)
    closed = place.gateway()
    await closed.close()
    assert isinstance(await closed.lookup(attempt()), LookupFailed)
