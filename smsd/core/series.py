"""Messages as they are accepted, without each of them being made."""

from collections.abc import Sequence
from typing import NamedTuple, overload

import attrs

from smsd.core.address import Msisdn, Originator
from smsd.core.message import Category, Message, Priority
from smsd.core.segments import Segmentation
from smsd.core.trace import Traceparent


class Variant(NamedTuple):
    """In what one message differs from others that are like it; made ten thousand times an array."""

    recipients: tuple[Msisdn, ...]  #: 1 to 50
    body: str
    segmentation: Segmentation  #: of the body
    reference: str


@attrs.frozen(kw_only=True)
class Series(Sequence[Message]):
    """As many messages as there are ids; one is made when somebody looks at it. For the fields see Message."""

    ids: Sequence[str]
    variants: Sequence[Variant]  #: of each
    originator: Originator
    priority: Priority
    category: Category | None
    api_key: str
    accepted_at: float
    not_before: float
    valid_until: float | None
    batch: str
    callback_url: str
    trace: Traceparent | None

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> "Series": ...
    def __getitem__(self, index: int | slice) -> "Message | Series":
        if isinstance(index, slice):
            return attrs.evolve(self, ids=self.ids[index], variants=self.variants[index])
        recipients, body, segmentation, reference = self.variants[index]
        return Message(
            id=self.ids[index],
            recipients=recipients,
            originator=self.originator,
            body=body,
            coding=segmentation.coding,
            segments=segmentation.parts,
            api_key=self.api_key,
            accepted_at=self.accepted_at,
            changed_at=self.accepted_at,
            not_before=self.not_before,
            valid_until=self.valid_until,
            priority=self.priority,
            category=self.category,
            batch=self.batch,
            reference=reference,
            callback_url=self.callback_url,
            trace=self.trace,
        )


class Joined(Sequence[Message]):
    """Several sequences of messages as one."""

    def __init__(self, parts: Sequence[Sequence[Message]]) -> None:
        self.parts = parts
        self._length = sum(map(len, parts))

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | Sequence[Message]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(self._length))]
        place = range(self._length)[index]  # IndexError where there is nothing, and negative ones counted from the end
        for part in self.parts:
            if place < len(part):
                return part[place]
            place -= len(part)
        raise IndexError(index)
