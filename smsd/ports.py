"""The seams of smsd: what each half needs from the world, on one page."""

from collections.abc import Callable, Mapping, Sequence

import attrs
from zope.interface import Interface

from smsd.core.claim import Claim, Claimed
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.notice import Notice
from smsd.core.outcome import LookupResult, Outcome
from smsd.core.query import Page, Query


@attrs.frozen(kw_only=True)
class Lease:
    """The sole right to move one message on, until it is settled or released."""

    message: Message  #: as it is stored
    token: int = 0  #: what the engine knows the lease by


class IInbox(Interface):
    """Where the accepting half leaves messages."""

    async def append(messages: Sequence[Message], limit: int, claim: Claim | None = None) -> int:
        """Keep ``messages``, all or none; returns when they are durable.

        The answer is how many are ahead of the first one: in line at that moment, of its priority or a better one.
        With a ``claim`` its key is taken in the same step, and Claimed is raised if it was taken before: then nothing
        is kept. Raises SpoolFull if more than ``limit`` would then be queued, SpoolUnavailable, and ValueError for
        what cannot be stored (an id that is there already).
        """

    async def claimed(api_key: str, key: str, now: float) -> Claimed | None:
        """What the idempotency key ``key`` of the API key named ``api_key`` stands for at ``now``, if anything.

        Raises SpoolUnavailable.
        """

    async def depth() -> Mapping[State, int]:
        """How many messages are in each state; exact, and cheap at any size. Raises SpoolUnavailable."""


class IOutbox(Interface):
    """Where the sending half takes messages from, each by one taker at a time."""

    async def recover(now: float) -> int:
        """Make uncertain, as of ``now`` (UTC epoch seconds), what was being sent by a sender that is gone.

        The answer is how many those were. Raises SpoolUnavailable.
        """

    async def lease(now: float, limit: int, state: State = State.QUEUED) -> list[Lease]:
        """Lease up to ``limit`` messages in ``state`` (queued or uncertain) due at ``now`` (UTC epoch seconds).

        Best priority first, then oldest; never one that another lease holds. What was due once stays due, though the
        clock be set back. Raises SpoolUnavailable.
        """

    async def store(lease: Lease, after: Message) -> Lease:
        """Make ``after`` durable in place of ``lease.message``; returns the lease on it.

        The lease is held on while ``after`` is sending, and ends with any other state. Raises LeaseLost if the
        stored message is no longer in the state that was leased (it was canceled), SpoolUnavailable (nothing has
        changed and the lease is still held).
        """

    async def release(lease: Lease) -> None:
        """Give ``lease`` back with its message as it was. Raises SpoolUnavailable once the spool is closed."""


class ILedger(Interface):
    """Answers for every message that was ever accepted."""

    async def find(id: str) -> Message:
        """The message ``id`` as it is stored. Raises UnknownMessage and SpoolUnavailable."""

    async def search(query: Query) -> Page:
        """A page of the messages that ``query`` admits, newest first. Raises SpoolUnavailable."""

    async def amend(id: str, step: Callable[[Message], Message]) -> Message:
        """Make ``step(message)`` durable in place of the message ``id``, as one step that nothing comes between.

        ``step`` is pure, and may be called in another thread; what it raises is raised here, and nothing has
        changed. A lease on a message whose state it changes is lost. Raises UnknownMessage and SpoolUnavailable.
        """


class IEngine(IInbox, IOutbox, ILedger):
    """A spool and its ledger, with the life of what stands behind them."""

    def open() -> None:
        """Make ready; may block. Raises SpoolRefused with a reason a person can act on."""

    async def close() -> None:
        """Finish what was begun, then let go of files, threads and locks."""


class IGateway(Interface):
    """A provider of SMS."""

    async def send(message: Message) -> Outcome:
        """Ask the provider, once, to take ``message``; whatever happens is an Outcome, never an exception."""

    async def lookup(message: Message) -> LookupResult:
        """Ask the provider whether it has ``message`` (by its id, around ``attempted_at``)."""


class IThrottle(Interface):
    """Guards the rate that was agreed with the provider."""

    async def take() -> int:
        """Wait for a permit to send one request; the answer names it."""

    def give_back(permit: int, extra_s: float = 0.0) -> None:
        """Return ``permit`` once the answer is in; it is free again one span, and ``extra_s`` seconds, later."""

    def put_back(permit: int) -> None:
        """Return ``permit`` unused: no request went out under it."""


class IReporter(Interface):
    """Takes notices to where people look."""

    def report(notice: Notice) -> None:
        """Pass ``notice`` on; never raises, never waits."""
