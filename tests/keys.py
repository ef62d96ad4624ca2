"""API keys for tests: each is its own name."""

from smsd.core.key import MadeKey, Role, digest_of


def made(name: str, *roles: Role) -> MadeKey:
    """A key that is called, and is, ``name``."""
    return MadeKey(name=name, digest=digest_of(name.encode()), roles=frozenset(roles), made_at=0.0)
