"""Says what somebody may see and do on the dashboard."""

import re
from typing import Final

import attrs

from smsd.core.address import Msisdn
from smsd.core.key import Holder, Role
from smsd.core.message import Message

#: Digits that may be somebody's number, in other people's words.
_NUMBER: Final = re.compile(r"\+?\d(?:[ ().-]?\d){5,}")


@attrs.frozen(kw_only=True)
class Sight:
    """What a page is made for; pages for equal sights are equal."""

    reads: bool  #: sees numbers and texts
    operates: bool  #: cancels, replays, decides what becomes of held messages
    sends: bool  #: sends test messages

    @classmethod
    def of(cls, holder: Holder) -> "Sight":
        """What ``holder`` may see and do."""
        return cls(reads=holder.may(Role.READ), operates=holder.may(Role.OPERATE), sends=holder.may(Role.SEND))

    def number(self, recipient: Msisdn) -> str:
        """A recipient's number."""
        return f"+{recipient.digits}" if self.reads else recipient.masked()

    def to(self, message: Message) -> str:
        """Who gets ``message``, on one line."""
        if not message.recipients:
            return "forgotten"
        first, more = self.number(message.recipients[0]), len(message.recipients) - 1
        return f"{first} and {more} more" if more else first

    def words(self, words: str) -> str:
        """What the provider or a client wrote, in which there may be numbers."""
        return words if self.reads else _NUMBER.sub("…", words)

    def text(self, message: Message) -> str:
        """The text of ``message``."""
        return message.body if self.reads else f"{len(message.body)} characters, hidden: your key lacks the role read"
