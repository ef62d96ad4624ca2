"""The model of what receivers are owed: one callback a change of state, until it is settled."""

import json
from collections import Counter
from collections.abc import Sequence

import attrs

from smsd.core.callback import Callback
from smsd.core.lifecycle import State
from smsd.core.message import Message
from smsd.core.moment import moment

#: What a callback is about: a message, its new state, and since when.
Change = tuple[str, str, str]


@attrs.define
class Duty:
    """A callback that is owed."""

    url: str
    due_at: float
    ids: set[str]  #: under which it was taken: never more than one


class Duties:
    """What is owed, by the change that it tells of."""

    def __init__(self) -> None:
        self.open: dict[Change, Duty] = {}

    def moved(self, message: Message, states: Sequence[State]) -> None:
        """``message`` has come into ``states``, one after the other."""
        for state in states if message.callback_url else ():
            change = (message.id, state.value, moment(message.changed_at))
            assert change not in self.open
            self.open[change] = Duty(message.callback_url, message.changed_at, set())

    def taken(self, callbacks: Sequence[Callback], now: float, until: float, limit: int, per_host: int) -> None:
        """``callbacks`` were handed out at ``now``."""
        due = Counter(duty.url for duty in self.open.values() if duty.due_at <= now)
        assert len(callbacks) == min(limit, sum(min(per_host, count) for count in due.values()))
        assert all(count <= per_host for count in Counter(each.url for each in callbacks).values())
        for callback in callbacks:
            duty = self.open[_change(callback)]
            assert duty.url == callback.url
            assert duty.due_at <= now
            duty.ids.add(callback.id)
            assert len(duty.ids) == 1, "the same id over all tries"
            duty.due_at = until

    def settled(self, callback: Callback, after: Callback | None) -> None:
        """``callback`` is over, or to be tried again as ``after``."""
        if after is None:
            del self.open[_change(callback)]
        else:
            self.open[_change(callback)].due_at = after.not_before


def _change(callback: Callback) -> Change:
    told = json.loads(callback.body)
    assert told["type"] == f"sms.{told['data']['state']}"
    return told["data"]["id"], told["data"]["state"], told["timestamp"]
