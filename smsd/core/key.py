"""Says whose an API key is, and what it may be used for."""

import enum
import hashlib
import re
from typing import Final

import attrs

#: What a key may be called: it goes into addresses, logs and metrics as it is.
KEY_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Role(enum.Enum):
    """One thing that a key may do; none includes another."""

    SEND = "send"  #: have SMS sent
    READ = "read"  #: see messages with their texts and numbers
    OPERATE = "operate"  #: cancel, replay, decide what becomes of held messages, make and revoke keys


#: What a key may do that no roles are given for.
ALL_ROLES: Final = frozenset(Role)


@attrs.frozen(kw_only=True)
class Holder:
    """Whose key it is."""

    name: str
    digest: str = attrs.field(repr=False)  #: of the key, see ``digest_of``
    roles: frozenset[Role] = ALL_ROLES

    def may(self, role: Role) -> bool:
        """Whether the key may be used for ``role``."""
        return role in self.roles


@attrs.frozen(kw_only=True)
class MadeKey:
    """A key that was made while the daemon ran; the key itself only its holder has."""

    name: str
    digest: str = attrs.field(repr=False)  #: of the key, see ``digest_of``
    roles: frozenset[Role]
    made_at: float  #: UTC epoch seconds
    used_at: float | None = None  #: UTC epoch seconds, within a minute; None: never

    @property
    def holder(self) -> Holder:
        """Whose key it is."""
        return Holder(name=self.name, digest=self.digest, roles=self.roles)


def digest_of(key: bytes) -> str:
    """What is kept of ``key``: its SHA-256. Those of ours are 256 random bits: nothing slower would add to it."""
    return hashlib.sha256(key).hexdigest()
