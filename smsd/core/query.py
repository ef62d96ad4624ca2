"""What may be asked of the ledger."""

from typing import Final

import attrs

from smsd.core.address import Msisdn
from smsd.core.lifecycle import State
from smsd.core.message import Message

#: Messages on a page, unless asked for fewer or more.
PAGE: Final = 50
#: The most that may be asked for at once.
MAX_PAGE: Final = 1000


@attrs.frozen(kw_only=True)
class Query:
    """Which messages are wanted, newest first; what is None does not narrow it down."""

    state: State | None = None
    recipient: Msisdn | None = None
    originator: str | None = None
    reference: str | None = None  #: the client's own word
    batch: str | None = None  #: the id of a whole
    api_key: str | None = None  #: its name
    is_held: bool = False  #: only what waits for an operator's word
    since: float | None = None  #: UTC epoch seconds; accepted then or later
    until: float | None = None  #: UTC epoch seconds; accepted before
    before: int | None = None  #: only older than this place in the ledger; where an earlier page ended
    limit: int = PAGE

    def admits(self, message: Message) -> bool:
        """Whether ``message`` is wanted, its place apart."""
        return (
            (self.state is None or message.state is self.state)
            and (self.recipient is None or self.recipient in message.recipients)
            and (self.originator is None or message.originator.text == self.originator)
            and (self.reference is None or message.reference == self.reference)
            and (self.batch is None or message.batch == self.batch)
            and (self.api_key is None or message.api_key == self.api_key)
            and (message.is_held or not self.is_held)
            and (self.since is None or message.accepted_at >= self.since)
            and (self.until is None or message.accepted_at < self.until)
        )


@attrs.frozen(kw_only=True)
class Page:
    """Some of the messages that were asked for: as many as the limit, fewer or none, and yet not the last page."""

    messages: tuple[Message, ...]  #: newest first
    before: int | None  #: for the next page; None when this was the last one
