"""Messages that differ only in ids, recipients, texts and references, without each of them being made."""

from collections.abc import Sequence
from typing import NamedTuple, overload

import attrs

from smsd.core.address import Msisdn
from smsd.core.message import Message
from smsd.core.segments import Segmentation


class Variant(NamedTuple):
    """In what one SMS differs from others that are like it; made ten thousand times an array."""

    recipient: Msisdn
    body: str
    segmentation: Segmentation  #: of the body
    reference: str


@attrs.frozen(kw_only=True)
class Series(Sequence[Message]):
    """As many messages as there are ids, each to one recipient; one is made when somebody looks at it."""

    mould: Message  #: each of them, but for its id and what its variant says
    ids: Sequence[str]
    variants: Sequence[Variant]  #: of each

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> "Series": ...
    def __getitem__(self, index: int | slice) -> "Message | Series":
        if isinstance(index, slice):
            return attrs.evolve(self, ids=self.ids[index], variants=self.variants[index])
        recipient, body, segmentation, reference = self.variants[index]
        return attrs.evolve(
            self.mould,
            id=self.ids[index],
            recipients=(recipient,),
            body=body,
            coding=segmentation.coding,
            segments=segmentation.parts,
            reference=reference,
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


def joined(parts: Sequence[Sequence[Message]]) -> Sequence[Message]:
    """``parts`` as one sequence."""
    return parts[0] if len(parts) == 1 else Joined(parts)
