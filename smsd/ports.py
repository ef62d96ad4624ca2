"""The seams of smsd: what each half needs from the world, on one page."""

import math
from collections.abc import Callable, Mapping, Sequence, Set

import attrs
from zope.interface import Attribute, Interface

from smsd.core.callback import Callback
from smsd.core.claim import Claim, Claimed
from smsd.core.errors import SpoolFull
from smsd.core.key import MadeKey
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.notice import Notice
from smsd.core.outcome import LookupFailed, LookupResult, Outcome
from smsd.core.outlook import Outlook
from smsd.core.query import Page, Query
from smsd.core.quota import Quota
from smsd.core.report import Inbound, Report
from smsd.core.standing import Standing
from smsd.core.turns import Place


@attrs.frozen(kw_only=True)
class Lease:
    """The sole right to move one message on, until it is settled or released."""

    message: Message  #: as it is stored
    token: int = 0  #: what the engine knows the lease by
    until: float = math.inf  #: monotonic seconds; surely nobody else has the message before


class IInbox(Interface):
    """Where the accepting half leaves messages."""

    async def append(
        messages: Sequence[Message], limit: int, claim: Claim | None = None, quotas: Sequence[Quota] = ()
    ) -> Place:
        """Keep ``messages``, all of one API key, all or none; returns when they are durable, with their place in line.

        With a ``claim`` its key is taken in the same step, and Claimed is raised if it was taken before: then nothing
        is kept. In the same step they are charged to the ``quotas`` of the key; raises QuotaExceeded if one does not
        admit them. Raises SpoolFull if more than ``limit`` recipients would then be queued, SpoolUnavailable, and
        ValueError for what cannot be stored (an id that is there already).
        """

    async def append_each(parcels: Sequence[Sequence[Message]], limit: int) -> list[Place | SpoolFull | ValueError]:
        """Do what ``append`` does for each of ``parcels``, without claims and quotas; returns when all are durable.

        The answers say where each stands, or why it is not kept. Raises SpoolUnavailable.
        """

    async def claimed(api_key: str, key: str, now: float) -> Claimed | None:
        """What the idempotency key ``key`` of the API key named ``api_key`` stands for at ``now``, if anything.

        Raises SpoolUnavailable.
        """

    async def claims(now: float, after: tuple[str, str], limit: int) -> list[Claim]:
        """Up to ``limit`` idempotency keys that stand for something at ``now``, in order; they come after ``after``.

        That is the API key and the key of the last one, or two empty texts. Raises SpoolUnavailable.
        """

    async def standing() -> Standing:
        """How much there is; exact, and cheap at any size. Raises SpoolUnavailable."""


class IOutbox(Interface):
    """Where the sending half takes messages from, each by one taker at a time."""

    async def recover(now: float) -> int:
        """Make uncertain, as of ``now`` (UTC epoch seconds), what was being sent by a sender that is gone.

        The answer is how many those were. Raises SpoolUnavailable.
        """

    async def lease(now: float, limit: int, state: State = State.QUEUED) -> list[Lease]:
        """Lease up to ``limit`` messages in ``state`` that are due at ``now`` (UTC epoch seconds).

        Queued ones by their turns (see core.turns), uncertain ones best priority first, then oldest, sent and dead
        ones by their ``attend_at``; never one that another lease holds. What was due once stays due, though the
        clock be set back. Raises SpoolUnavailable.
        """

    async def store(lease: Lease, after: Message) -> Lease:
        """Make ``after`` durable in place of ``lease.message``; returns the lease on it.

        The lease is held on while ``after`` is sending, and ends with any other state. Raises LeaseLost if the
        stored message is no longer in the state that was leased (it was canceled) or waits for an operator's word,
        SpoolUnavailable (nothing has changed and the lease is still held).
        """

    async def release(lease: Lease) -> None:
        """Give ``lease`` back with its message as it was. Raises SpoolUnavailable once the spool is closed."""

    async def beat(now: float) -> float | None:
        """Write down that messages could be sent at ``now`` (UTC epoch seconds); the answer is when they last could.

        None if that was never written down. Raises SpoolUnavailable.
        """

    async def hold(before: float, limit: int) -> int:
        """Hold up to ``limit`` queued messages in line since before ``before`` (UTC epoch seconds): none is leased.

        The answer is how many those were. Raises SpoolUnavailable.
        """


class ILedger(Interface):
    """Answers for every message that was ever accepted."""

    async def find(id: str) -> Message:
        """The message ``id`` as it is stored. Raises UnknownMessage and SpoolUnavailable."""

    async def search(query: Query) -> Page:
        """A page of the messages that ``query`` admits, newest first. Raises SpoolUnavailable.

        It may be short, or empty, and not the last: the last is the one that no other follows.
        """

    async def amend(id: str, step: Callable[[Message], Message]) -> Message:
        """Make ``step(message)`` durable in place of the message ``id``, as one step that nothing comes between.

        ``step`` is pure, and may be called in another thread; what it raises is raised here, and nothing has
        changed. A lease on a message whose state it changes is lost. Raises UnknownMessage and SpoolUnavailable.
        """

    async def ahead(id: str) -> Place | None:
        """Where message ``id`` stands in line; None if it has no turn to come.

        One whose time has not come stands where it would if it came now. Raises UnknownMessage and SpoolUnavailable.
        """

    async def unhold(since: float, now: float, limit: int) -> int:
        """Let up to ``limit`` held messages that were accepted since ``since`` into line again, as of ``now``.

        Both in UTC epoch seconds. What was let go counts as in line since then. The answer is how many those were.
        Raises SpoolUnavailable.
        """

    async def overdue(now: float, limit: int) -> Sequence[str]:
        """The ids of up to ``limit`` messages that wait still, or are held, past their validity at ``now``.

        ``now`` is UTC epoch seconds. Where one node sends for all, others find none. Raises SpoolUnavailable.
        """

    async def forget(before: float, limit: int) -> int:
        """Remove text and numbers of up to ``limit`` messages that came to their end before ``before`` (epoch seconds).

        The answer is how many those were. Dead ones are kept. Raises SpoolUnavailable.
        """


class ICallbackQueue(Interface):
    """Keeps what receivers are owed: each change of a state (see core.callback.owed) is queued as it is stored."""

    async def take_callbacks(now: float, until: float, limit: int, per_host: int, without: Set[str]) -> list[Callback]:
        """Up to ``limit`` callbacks due at ``now``, given to nobody else until ``until`` (UTC epoch seconds).

        At most ``per_host`` for one host; hosts ``without`` are passed over. Raises SpoolUnavailable.
        """

    async def settle_callback(callback: Callback, after: Callback | None) -> None:
        """Keep ``after`` in place of ``callback``, or nothing when it is finished. Raises SpoolUnavailable."""

    async def silence(id: str) -> None:
        """Owe nobody anything more of message ``id``: its receiver is gone. Raises SpoolUnavailable."""

    async def receive(inbound: Inbound, callback: Callback | None) -> bool:
        """Keep an incoming message, and the callback that tells of it; False if it was kept before.

        Raises SpoolUnavailable.
        """

    async def received(limit: int, before: int | None = None) -> tuple[list[Inbound], int | None]:
        """Up to ``limit`` incoming messages, newest first, from before the place ``before``; and the next such place.

        Raises SpoolUnavailable.
        """


class IEngine(IInbox, IOutbox, ILedger, ICallbackQueue):
    """A spool and its ledger, with the life of what stands behind them."""

    def open() -> None:
        """Make ready; may block. Raises SpoolRefused with a reason a person can act on."""

    def listen(wake: Callable[[], None]) -> None:
        """Call ``wake``, on the reactor's thread, when another process may have left something to send; once open."""

    async def close() -> None:
        """Finish what was begun, then let go of files, threads and locks."""


class IGateway(Interface):
    """A provider of SMS."""

    repeatable_s: float = Attribute(
        "Seconds from the first attempt for which the same message, sent again, is known for the same; 0: never."
    )
    trusted_s: float = Attribute(
        "Seconds of these in which nothing else is needed; later the provider is asked first, for it may forget."
    )

    async def send(message: Message, by: float = math.inf) -> Outcome:
        """Ask the provider, once, to take ``message``; whatever happens is an Outcome, never an exception.

        What has not begun to go out ``by`` then (monotonic seconds, looked at just before the write) is postponed:
        whoever stalled so long can no longer know that the message and the permit are his.
        """

    async def lookup(message: Message) -> LookupResult:
        """Ask the provider whether it has ``message`` (by its id, around ``attempted_at``)."""

    async def reports(message: Message) -> tuple[Report, ...] | LookupFailed:
        """Ask the provider what became of ``message`` (by ``provider_id``), at most one report a recipient.

        Whatever else comes is LookupFailed, never an exception.
        """


class IBundler(Interface):
    """A gateway whose provider takes several messages in one request, all of them or none."""

    carries: int = Attribute("Recipients that one request may have, of all its messages together.")

    async def send_together(messages: Sequence[Message], by: float = math.inf) -> Sequence[Outcome]:
        """Ask the provider, once, to take ``messages``, all of one bundle; an outcome for each, in their order.

        The same ones again are the same request, whatever their order. ``by`` is as in IGateway.send.
        """


class IThrottle(Interface):
    """Guards the rate that was agreed with the provider."""

    pace: float = Attribute("Requests a second that it lets through as things are, never more than was agreed.")
    outlook: Outlook = Attribute("When it lets through how many from now on, as far as this process can tell.")

    async def take(ahead_s: float = 0.0) -> int:
        """Wait for a permit to send one request; the answer names it.

        It may be had up to ``ahead_s`` seconds before a request may go out under it, see ``since``.
        """

    def since(permit: int) -> float:
        """From when on, in monotonic seconds, a request may go out under ``permit``."""

    def until(permit: int) -> float:
        """When, in monotonic seconds, ``permit`` is too old for a request to go out under it."""

    def give_back(permit: int, extra_s: float = 0.0, begun_at: float = 0.0) -> None:
        """Return ``permit`` once the answer is in; it is free again one span, and ``extra_s`` seconds, later.

        The request went out at ``begun_at`` (monotonic seconds), or as the permit could be used.
        """

    def put_back(permit: int) -> None:
        """Return ``permit`` unused: no request went out under it."""

    def ease_off() -> None:
        """Let fewer through for a while: the provider finds it too fast."""


class IReporter(Interface):
    """Takes notices to where people look."""

    def report(notice: Notice) -> None:
        """Pass ``notice`` on; never raises, never waits."""


class IArchive(Interface):
    """Where dead letters are kept beyond the spool, for people and for reprocessing."""

    async def put(key: str, body: bytes) -> None:
        """Keep ``body`` durably under ``key``; what is there already stays, and counts as done.

        A key is parts of letters, digits, ``.``, ``_`` and ``-`` with slashes between. Raises ArchiveFailed: then it
        may or may not be kept, and may be put again.
        """

    async def list(prefix: str, after: str = "") -> Sequence[str]:
        """A page of the keys that begin with ``prefix`` and come after ``after``, in order. Raises ArchiveFailed."""

    async def get(key: str) -> bytes:
        """What is kept under ``key``. Raises NoSuchLetter and ArchiveFailed."""


class IKeyStore(Interface):
    """Keeps the API keys that are made while the daemon runs; processes may share what is behind it."""

    def open() -> Sequence[MadeKey]:
        """What is kept, read before the doors open; may block. Raises KeysUnavailable."""

    async def keys() -> Sequence[MadeKey]:
        """What is kept, by name; the same object as before while nothing has changed. Raises KeysUnavailable."""

    async def add(key: MadeKey) -> None:
        """Keep ``key`` durably. Raises NameTaken and KeysUnavailable."""

    async def remove(name: str) -> None:
        """Keep the key called ``name`` no more. Raises UnknownKey and KeysUnavailable."""

    async def note_uses(uses: Mapping[str, float]) -> None:
        """Write down when keys were last used (UTC epoch seconds, by name); gone ones are passed over.

        Raises KeysUnavailable.
        """
