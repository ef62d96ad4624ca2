"""Tells whose API key a request carries."""

import hmac
from collections.abc import Mapping

import attrs


class Unauthorised(Exception):
    """No key, or a wrong one."""


@attrs.frozen
class Keyring:
    """The API keys by name."""

    _keys: Mapping[str, bytes] = attrs.field(repr=False)

    def knows(self, given: bytes) -> bool:
        """Whether the key that was ``given`` is one of these."""
        return self._find(given) is not None

    def name_of(self, given: bytes) -> str:
        """The name of the key that was ``given``. Raises Unauthorised."""
        found = self._find(given)
        if found is None:
            raise Unauthorised
        return found

    def _find(self, given: bytes) -> str | None:
        found = None
        # Every key is compared, in constant time: how long it takes tells nothing.
        for name, expected in self._keys.items():
            if hmac.compare_digest(given, expected):
                found = name
        return found
