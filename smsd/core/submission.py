"""What a client asks for, parsed: past this, nobody checks a text again."""

from collections.abc import Callable, Mapping, Set
from datetime import datetime
from typing import Any, Final

import attrs

from smsd.core.address import Msisdn, Originator
from smsd.core.alphabet import DataCoding, NotEncodable
from smsd.core.errors import InvalidAddress, InvalidSubmission
from smsd.core.message import Message, Priority
from smsd.core.segments import Segmentation, fits, segment

#: Seconds that ``send_at`` may lie in the past, for clocks that disagree a little.
PAST_S: Final = 60.0
#: Seconds that ``send_at`` may lie ahead: a year.
AHEAD_S: Final = 366 * 86400.0


@attrs.frozen(kw_only=True)
class Submission:
    """One SMS as a client asks for it."""

    recipients: tuple[Msisdn, ...]
    originator: Originator
    body: str
    segmentation: Segmentation
    priority: Priority
    reference: str  #: the client's own word for it
    send_at: float | None  #: UTC epoch seconds
    validity_s: int | None  #: seconds from the moment it may first go

    @classmethod
    def parse(cls, fields: Mapping[str, Any], now: float, known_bad: Set[str] = frozenset()) -> "Submission":
        """Read the fields of a body at ``now``; those ``known_bad`` already, by the schema, are passed over.

        Raises InvalidSubmission with every bad field, the known ones too.
        """
        reader = _Reader(fields, known_bad)
        recipient = reader.read("recipient", Msisdn.parse)
        originator = reader.read("originator", Originator.parse)
        segmentation = reader.segmentation()
        send_at = reader.read("send_at", lambda text: _moment(text, now))
        if reader.bad:
            raise InvalidSubmission(fields=tuple(reader.bad))
        return cls(
            recipients=(recipient,),
            originator=originator,
            body=fields["message"],
            segmentation=segmentation,
            priority=Priority[fields.get("priority", "normal").upper()],
            reference=fields.get("reference", ""),
            send_at=send_at,
            validity_s=fields.get("validity"),
        )

    def message(self, *, id: str, api_key: str, now: float) -> Message:
        """The message that this becomes when it is accepted at ``now`` under the key named ``api_key``."""
        first = max(now, self.send_at or now)
        return Message(
            id=id,
            recipients=self.recipients,
            originator=self.originator,
            body=self.body,
            coding=self.segmentation.coding,
            segments=self.segmentation.parts,
            api_key=api_key,
            accepted_at=now,
            changed_at=now,
            not_before=first,
            valid_until=None if self.validity_s is None else first + self.validity_s,
            priority=self.priority,
            reference=self.reference,
        )


class _Reader:
    """Reads fields one by one and remembers the bad ones."""

    def __init__(self, fields: Mapping[str, Any], known_bad: Set[str]) -> None:
        self._fields = fields
        self.bad = dict.fromkeys(known_bad)

    def read(self, field: str, parse: Callable[[Any], Any]) -> Any:
        """The parsed value of ``field``; None when it is absent or bad."""
        if field in self.bad or field not in self._fields:
            return None
        try:
            return parse(self._fields[field])
        except (InvalidAddress, ValueError):
            self.bad[field] = None

    def segmentation(self) -> Any:
        """How the text is to be cut: the two fields that it depends on are judged together."""
        coding = self.read("datacoding", _CODINGS.__getitem__)
        if "message" in self.bad:
            return None
        text = self._fields["message"]
        try:
            if not fits(text, coding):
                self.bad["message"] = None
            return segment(text, coding)
        except NotEncodable:
            self.bad["datacoding"] = None


_CODINGS: Final = {"auto": None, "plain": DataCoding.PLAIN, "unicode": DataCoding.UNICODE}


def _moment(text: str, now: float) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not now - PAST_S <= moment.timestamp() <= now + AHEAD_S:
        raise ValueError
    return moment.timestamp()
