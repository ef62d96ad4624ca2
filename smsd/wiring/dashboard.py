"""Puts the dashboard together."""

from collections.abc import Callable, Sequence

from smsd.api.auth import Gate
from smsd.api.dashboard.deeds import Deeds
from smsd.api.dashboard.doing import Doing
from smsd.api.dashboard.entrance import Entrance
from smsd.api.dashboard.frame import Frame
from smsd.api.dashboard.history import WANTED, History
from smsd.api.dashboard.live import Live
from smsd.api.dashboard.look import Look
from smsd.api.dashboard.pages import Dashboard
from smsd.api.dashboard.paint import Paint
from smsd.api.dashboard.session import Sessions
from smsd.api.posting import Posting
from smsd.pipeline.arrival import Arrivals
from smsd.pipeline.keyring import Keyring
from smsd.pipeline.lane import Lane
from smsd.pipeline.operations import Operations
from smsd.ports import IInbox, ILedger
from smsd.reporting.fanout import Fanout
from smsd.wiring.reactor import IDaemonReactor


def history(fanout: Fanout, now: Callable[[], float]) -> History:
    """Counts over time, told by ``fanout``; ``now`` is in UTC epoch seconds."""
    made = History(now)
    fanout.add("dashboard", made, WANTED)
    return made


def dashboard(
    *,
    inbox: IInbox,
    ledger: ILedger,
    lanes: Sequence[Lane],
    operations: Operations,
    arrivals: Arrivals,
    posting: Posting,
    keyring: Keyring,
    gate: Gate,
    counts: History,
    stopped: Callable[[], str],
    sandboxed: bool,
    rate: float,
    reactor: IDaemonReactor,
    now: Callable[[], float],
) -> Dashboard:
    """The dashboard over ``lanes``, those that messages go by, the first one first.

    ``stopped`` says why messages are not taken or cannot be read, empty while they are. ``sandboxed``: none leaves us;
    ``rate`` is agreed, in requests a second.
    """
    paint = Paint(sandboxed=sandboxed)
    frame = Frame(paint)
    entrance = Entrance(gate=gate, sessions=Sessions(keyring.holder, reactor.seconds))
    look = Look(inbox=inbox, ledger=ledger, lanes=lanes, history=counts, rate=rate, stopped=stopped, now=now)
    return Dashboard(
        entrance=entrance,
        paint=paint,
        frame=frame,
        look=look,
        live=Live(look=look.take, paint=paint.parts, clock=reactor),
        doing=Doing(
            entrance=entrance,
            frame=frame,
            deeds=Deeds(operations=operations, ledger=ledger, now=now),
            posting=posting,
        ),
        operations=operations,
        arrivals=arrivals,
        ledger=ledger,
    )
