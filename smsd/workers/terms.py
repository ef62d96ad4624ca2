"""What an accept process has to know."""

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Terms:
    """The settings by which an accept process judges; whatever else is asked goes to the daemon."""

    keys: Mapping[str, bytes] = attrs.field(repr=False)  #: API keys by name, without those that have quotas
    callback_urls: Mapping[str, str]  #: by the name of the key
    allow_private: bool  #: whether callbacks may lead to private addresses

    def written(self) -> dict[str, Any]:
        """The same in a form that a link carries."""
        return {
            "keys": dict(self.keys),
            "callback_urls": dict(self.callback_urls),
            "allow_private": self.allow_private,
        }
