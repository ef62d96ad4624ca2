"""Makes, lists and revokes API keys."""

from typing import Any

from smsd.api.auth import Forbidden
from smsd.api.problems import Answer, ok
from smsd.api.validation import InvalidBody, Problem
from smsd.core.key import KEY_NAME, Holder, Role
from smsd.core.moment import moment
from smsd.pipeline.keyring import Keyring, KnownKey

_ROLES = ", ".join(role.value for role in Role)


class Keys:
    """What ``/keys`` does, once it is known who asks."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def list(self) -> Answer:
        """Every key, but not what it is."""
        return Answer(code=200, body=ok("The API keys", keys=[_facts(key) for key in self._keyring.known()]))

    async def make(self, body: object, maker: Holder) -> Answer:
        """A new key, told this once. Nobody gives a role that he has not.

        Raises InvalidBody, Forbidden, NameTaken and KeysUnavailable.
        """
        name, roles = _read(body)
        for role in roles:
            if not maker.may(role):
                raise Forbidden(role)
        key = await self._keyring.make(name, roles)
        told = {"name": name, "roles": _values(frozenset(roles)), "key": key}
        return Answer(code=200, body=ok("Keep this key: it is not shown again", **told))

    async def revoke(self, name: str) -> Answer:
        """Take a key no more. Raises UnknownKey and KeysUnavailable."""
        await self._keyring.revoke(name)
        return Answer(code=200, body=ok("The key is revoked", name=name))


def _read(body: object) -> tuple[str, set[Role]]:
    given: dict[str, Any] = body if isinstance(body, dict) else {}
    name, roles = given.get("name"), given.get("roles")
    problems = [
        Problem(pointer=f"/{field}", message=f"'{field}' field is invalid: 'Is not a known field'")
        for field in given.keys() - {"name", "roles"}
    ]
    if not isinstance(name, str) or not KEY_NAME.fullmatch(name):
        rule = "Must be 1 to 64 of A-Z, a-z, 0-9, full stop, hyphen and underscore, the first a letter or digit"
        problems.append(Problem(pointer="/name", message=f"'name' field is invalid: '{rule}'"))
    read = {role for role in Role if isinstance(roles, list) and role.value in roles}
    if not isinstance(roles, list) or not read or len(read) != len(roles):
        problems.append(
            Problem(pointer="/roles", message=f"'roles' field is invalid: 'Must be some of {_ROLES}, each once'")
        )
    if problems:
        raise InvalidBody(*problems)
    return str(name), read


def _facts(key: KnownKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "roles": _values(key.roles),
        "made_at": None if key.made_at is None else moment(key.made_at),
        "last_used_at": None if key.used_at is None else moment(key.used_at),
        "from": "settings" if key.made_at is None else "keys",
    }


def _values(roles: frozenset[Role]) -> list[str]:
    return [role.value for role in Role if role in roles]
