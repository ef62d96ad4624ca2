"""The one tree of errors: each is a sentence, and carries its data."""

import math

import attrs


@attrs.frozen(kw_only=True)
class SmsdError(Exception):
    """Everything that smsd raises on purpose."""

    def __str__(self) -> str:
        return (self.__doc__ or "").format(**attrs.asdict(self))


@attrs.frozen(kw_only=True)
class NotAllowed(SmsdError):
    """A message that is {state} cannot become {wanted}."""

    state: str
    wanted: str


@attrs.frozen(kw_only=True)
class InvalidAddress(SmsdError):
    """That is no {kind}."""

    kind: str


@attrs.frozen(kw_only=True)
class InvalidSubmission(SmsdError):
    """These parts of a submission are invalid: {paths}."""

    paths: tuple[tuple[str | int, ...], ...]  #: each the field, and the index within it where there is one


@attrs.frozen(kw_only=True)
class SpoolFull(SmsdError):
    """The spool holds messages to {waiting} recipients and takes no more than {limit}."""

    waiting: int  #: recipients that wait now
    asked: int  #: recipients that there was no room for
    limit: int  #: recipients that may wait
    messages: int  #: that wait now, each one request to the provider
    in_line: int  #: of these, whose turn may come now
    #: UTC epoch seconds; when enough of the others will be in line. None: nobody knows, or none of them is needed.
    due_at: float | None = None
    retry_after_s: int = 1  #: seconds until there should be room; the intake knows the pace

    @property
    def requests(self) -> float:
        """How many requests have to go before there is room, if each has as many recipients as the average one."""
        return (self.waiting + self.asked - self.limit) * self.messages / max(1, self.waiting)

    @property
    def later(self) -> int:
        """How many of these are not in line yet."""
        return max(0, math.ceil(self.requests) - self.in_line)


@attrs.frozen(kw_only=True)
class SpoolUnavailable(SmsdError):
    """The spool cannot be used: {reason}."""

    reason: str


@attrs.frozen(kw_only=True)
class SpoolRefused(SmsdError):
    """The spool cannot be opened: {reason}."""

    reason: str


@attrs.frozen(kw_only=True)
class KeyReused(SmsdError):
    """This Idempotency-Key was used already, with another body."""


@attrs.frozen(kw_only=True)
class NameTaken(SmsdError):
    """There is an API key named {name} already."""

    name: str


@attrs.frozen(kw_only=True)
class UnknownKey(SmsdError):
    """No API key named {name} was made here. One that the settings name is revoked there."""

    name: str


@attrs.frozen(kw_only=True)
class KeysUnavailable(SmsdError):
    """The file of API keys cannot be used: {reason}."""

    reason: str


@attrs.frozen(kw_only=True)
class Closing(SmsdError):
    """smsd is stopping and takes nothing more."""


@attrs.frozen(kw_only=True)
class StillSending(SmsdError):
    """Message {id} is being sent: its answer is not written down yet."""

    id: str


@attrs.frozen(kw_only=True)
class LeaseLost(SmsdError):
    """Message {id} is no longer ours to send: it is {state}."""

    id: str
    state: str


@attrs.frozen(kw_only=True)
class UnknownMessage(SmsdError):
    """There is no message {id}."""

    id: str
