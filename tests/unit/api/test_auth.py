"""Keys are let in by their roles, and addresses that guess are held off."""

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from smsd.api.auth import Forbidden, Gate, TooManyGuesses, Unauthorised
from smsd.api.guesses import FORGET_S, FREE_TRIES, MAX_ADDRESSES, Guesses
from smsd.core.key import Role
from smsd.keys.memory import MemoryKeys
from smsd.pipeline.keyring import Keyring
from tests.keys import made

HERE, THERE = (IPv4Address("TCP", host, 1) for host in ("192.0.2.1", "192.0.2.2"))


def gate(clock: Clock, *keys: tuple[str, Sequence[Role]]) -> Gate:
    """A gate that knows ``secret`` of the settings, and ``keys`` as they were made."""
    store = MemoryKeys(*[made(name, *roles) for name, roles in keys])
    keyring = Keyring(
        fixed={"fixed": b"secret"}, store=store, new_key=lambda: "a new one", clock=clock, now=clock.seconds
    )
    keyring.open()
    return Gate(keyring=keyring, monotonic=clock.seconds)


def guess(gate: Gate, times: int, peer: Any = HERE) -> None:
    for n in range(times):
        with pytest.raises(Unauthorised):
            gate.holder(b"guess %d" % n, peer)


def test_a_key_of_the_settings_may_do_everything() -> None:
    holder = gate(Clock()).holder(b"secret", HERE)
    assert holder.name == "fixed"
    assert all(holder.may(role) for role in Role)


def test_a_key_that_was_made_may_do_what_it_was_made_for() -> None:
    door = gate(Clock(), ("shop", [Role.SEND]), ("desk", [Role.READ, Role.OPERATE]))
    assert door.sender(b"shop", lambda: HERE) == "shop"
    assert not door.holder(b"shop", HERE).may(Role.READ)
    for _ in range(2):
        with pytest.raises(Forbidden, match="send"):
            door.sender(b"desk", lambda: HERE)


def test_no_key_is_no_guess() -> None:
    door = gate(Clock())
    for _ in range(FREE_TRIES + 1):
        with pytest.raises(Unauthorised):
            door.sender(b"", lambda: HERE)
    assert door.sender(b"secret", lambda: HERE) == "fixed"


def test_whoever_guesses_has_to_wait_and_nobody_else() -> None:
    clock = Clock()
    door = gate(clock)
    guess(door, FREE_TRIES)
    with pytest.raises(TooManyGuesses):
        door.sender(b"secret", lambda: HERE)
    assert door.sender(b"secret", lambda: THERE) == "fixed"
    clock.advance(1)
    assert door.sender(b"secret", lambda: HERE) == "fixed"


def test_a_key_that_was_right_before_is_let_in_beside_guesses_from_its_address() -> None:
    door = gate(Clock(), ("shop", [Role.SEND]))
    assert door.sender(b"shop", lambda: HERE) == "shop"
    guess(door, FREE_TRIES)
    assert door.sender(b"shop", lambda: HERE) == "shop"
    with pytest.raises(TooManyGuesses):
        door.sender(b"secret", lambda: HERE)


def test_a_key_in_use_is_asked_for_its_address_once_a_minute() -> None:
    door = gate(Clock())
    asked = []

    def peer() -> Any:
        asked.append(1)
        return HERE

    for _ in range(5):
        door.sender(b"secret", peer)
    assert len(asked) == 1


def test_each_guess_past_a_few_doubles_the_wait_and_time_forgets() -> None:
    clock = Clock()
    guesses = Guesses(clock.seconds)
    waits = []
    for _ in range(FREE_TRIES + 3):
        guesses.was_wrong("192.0.2.1")
        waits.append(guesses.wait_s("192.0.2.1"))
    assert waits == [0.0] * (FREE_TRIES - 1) + [1.0, 2.0, 4.0, 8.0]
    assert guesses.wait_s("192.0.2.2") == 0.0
    clock.advance(FORGET_S)
    guesses.was_wrong("192.0.2.1")
    assert guesses.wait_s("192.0.2.1") == 0.0


def test_a_network_of_version_6_is_one_address() -> None:
    guesses = Guesses(Clock().seconds)
    for n in range(FREE_TRIES):
        guesses.was_wrong(f"2001:db8::{n}")
    assert guesses.wait_s("2001:db8::ffff") == 1.0
    assert guesses.wait_s("2001:db8:0:1::1") == 0.0


def test_guesses_do_not_fill_the_memory() -> None:
    guesses = Guesses(Clock().seconds)
    for _ in range(FREE_TRIES):
        guesses.was_wrong("192.0.2.1")
    for n in range(MAX_ADDRESSES):
        guesses.was_wrong(f"host {n}")
    assert guesses.wait_s("192.0.2.1") == 0.0
