"""Tells whose API key a request carries, and whether it may do what it asks for."""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from smsd.api.guesses import Guesses, network
from smsd.core.key import Holder, Role, digest_of
from smsd.pipeline.keyring import Keyring

#: Keys that are remembered with the addresses which they came from.
MAX_KNOWN: Final = 10_000


class Unauthorised(Exception):
    """No key, or a wrong one."""


class Forbidden(Exception):
    """A good key, but for something else."""

    def __init__(self, role: Role) -> None:
        super().__init__(f"This key lacks the role {role.value!r}")
        self.role = role


class TooManyGuesses(Exception):
    """Wrong keys came from an address, which has to wait."""

    def __init__(self, wait_s: float) -> None:
        """Another key from there is looked at in ``wait_s`` seconds."""
        self.wait_s = math.ceil(wait_s)
        super().__init__(f"Too many wrong keys came from your address: try again in {self.wait_s} s")


def must(holder: Holder, role: Role) -> None:
    """Raises Forbidden unless the key of ``holder`` is for ``role``."""
    if not holder.may(role):
        raise Forbidden(role)


class Gate:
    """Lets keys in, and holds off addresses that guess.

    While nobody is held off, a key that may send and was looked up within the minute costs one look-up in a dictionary
    (whose hashing is keyed, so that how long it takes tells nothing of a key). A key that was right from an address
    before is no guess: a client with a wrong key does not lock out others behind the same proxy.
    """

    def __init__(self, *, keyring: Keyring, monotonic: Callable[[], float]) -> None:
        """``monotonic`` is in seconds."""
        self._keyring = keyring
        self._guesses = Guesses(monotonic)
        self._senders: dict[bytes, str] = {}
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        keyring.watch(self._senders.clear)

    def sender(self, given: bytes, peer: Callable[[], Any]) -> str:
        """The name of the key that was ``given``, which may send; ``peer()`` is where it came from.

        Raises Unauthorised, Forbidden and TooManyGuesses.
        """
        name = self._senders.get(given)
        if name is None:
            holder = self.holder(given, peer())
            must(holder, Role.SEND)
            name = holder.name
            if self._guesses.is_quiet:
                self._senders[given] = name
        return name

    def holder(self, given: bytes, peer: Any) -> Holder:
        """Whose key was ``given``, from the address ``peer`` of Twisted's. Raises Unauthorised and TooManyGuesses."""
        if not given:
            raise Unauthorised
        digest, host = digest_of(given), str(getattr(peer, "host", ""))
        source = (network(host), digest)
        if source not in self._known and (wait_s := self._guesses.wait_s(host)) > 0:
            raise TooManyGuesses(wait_s)
        holder = self._keyring.holder(digest)
        if holder is None:
            self._known.pop(source, None)
            self._was_wrong(host)
            raise Unauthorised
        self._known[source] = None
        while len(self._known) > MAX_KNOWN:
            _ = self._known.popitem(last=False)
        self._keyring.note_use(holder.name)
        return holder

    def note_use(self, name: str) -> None:
        """The key called ``name`` is being used, by a process that knows it."""
        self._keyring.note_use(name)

    def _was_wrong(self, host: str) -> None:
        self._guesses.was_wrong(host)
        if not self._guesses.is_quiet:
            self._senders.clear()
