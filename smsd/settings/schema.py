"""What is known of a setting besides its value: its names, its default, its meaning."""

from __future__ import annotations

from typing import Any, Final

import attrs

from smsd.settings.kinds import Kind

#: What the environment variables of smsd itself begin with.
PREFIX: Final = "SMSD_"
_METADATA: Final = "smsd"


@attrs.frozen(kw_only=True)
class Setting:
    """One setting, as every source and every manual needs it."""

    #: The field of Settings, which is also its name in toml.
    name: str
    #: Its environment variable.
    env: str
    #: What it may be.
    kind: Kind[Any]
    #: Its default as a person would write it; None when leaving it out means something of its own.
    default: str | None
    #: One or more whole sentences.
    doc: str
    #: What a number counts; empty when it is none, or counts what the doc says.
    unit: str
    #: Whether its value is to be kept out of errors and off the command line.
    secret: bool
    #: What the example file shows when there is no default.
    example: str

    @property
    def option(self) -> str:
        """Its name on the command line, such as ``--retry-base``."""
        return "--" + self.name.replace("_", "-")


@attrs.frozen(kw_only=True)
class TwistdOption:
    """One option of ``twistd smsd``."""

    #: Without the dashes in front: ``retry-base``.
    name: str
    #: The default as text, for people to read.
    default: str | None
    #: Meaning, unit, default and environment variable.
    doc: str

    @property
    def parameter(self) -> list[str | None]:
        """A row of ``usage.Options.optParameters``.

        Its default is None on purpose: an option that was not given must not win over the environment.
        """
        return [self.name, None, None, self.doc]


def setting(
    kind: Kind[Any],
    default: str | None,
    doc: str,
    *,
    unit: str = "",
    secret: bool = False,
    example: str = "",
    env: str = "",
    unset: Any = None,
) -> Any:
    """A field of Settings. ``env`` is ``SMSD_`` and the field's name unless a tool has a name of its own.

    ``unset``, which must be immutable, is its value when it has no default and nothing was given. Raises Wrong, at
    import, when ``kind`` does not allow the default.
    """
    described = {
        "kind": kind,
        "default": default,
        "doc": doc,
        "unit": unit,
        "secret": secret,
        "example": example,
        "env": env,
    }
    value = unset if default is None else kind.parse(default)
    return attrs.field(default=value, metadata={_METADATA: described})


def settings_of(tree: type[attrs.AttrsInstance]) -> tuple[Setting, ...]:
    """Every setting of ``tree``, in the order of its fields."""
    return tuple(_described(field.name, field.metadata[_METADATA]) for field in attrs.fields(tree))


def twistd_options(settings: tuple[Setting, ...]) -> list[TwistdOption]:
    """The options of ``twistd smsd``: one for each of ``settings`` that is no secret."""
    return [
        TwistdOption(name=each.option.removeprefix("--"), default=each.default, doc=_help(each))
        for each in settings
        if not each.secret
    ]


def _described(name: str, described: dict[str, Any]) -> Setting:
    return Setting(name=name, **{**described, "env": described["env"] or PREFIX + name.upper()})


def _help(each: Setting) -> str:
    notes = [each.unit, f"default {each.default}" if each.default else "", each.env]
    return f"{each.doc} [{', '.join(note for note in notes if note)}]"
