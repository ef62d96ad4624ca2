"""The settings of smsd: one frozen tree, read once at the start."""

# ruff: noqa: RUF009 - setting() is attrs.field(), and every default it parses is immutable.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from smsd.core.errors import SmsdError
from smsd.core.settle import Doubt
from smsd.settings.kinds import (
    API_KEYS,
    ENDPOINT,
    HTTP_URL,
    SECRET,
    SPOOL_URL,
    choice,
    number,
    whole,
)
from smsd.settings.schema import setting, settings_of
from smsd.settings.sources import gather
from smsd.settings.types import ApiKey, LogFormat, Secret, SpoolUrl

#: Known to everybody who read the manual, so never beside a key that spends money.
DEMO_KEY: Final = Secret("BigBird")
#: What MessageBird's keys begin with that send nothing.
TEST_PREFIX: Final = "test_"
MESSAGEBIRD_ADDRESS: Final = "https://rest.messagebird.com"
SANDBOX_KEY: Final = Secret("test_sandbox")


@attrs.frozen(kw_only=True)
class SettingsError(SmsdError):
    """These settings are wrong: {problems}."""

    problems: tuple[str, ...]  #: every problem found, each a sentence; no secret is in any

    def __str__(self) -> str:
        return "\n".join(self.problems)


@attrs.frozen(kw_only=True)
class Settings:
    """All that an operator may set; ``load`` reads it, and ``schema`` lists it."""

    # To add one: its line here, and `python -m smsd.settings.example > smsd.toml.example`.
    listen: str = setting(
        ENDPOINT, "tcp:5000:interface=127.0.0.1", "Where the HTTP API listens, as a Twisted endpoint."
    )
    api_keys: tuple[ApiKey, ...] = setting(
        API_KEYS,
        f"demo={DEMO_KEY.reveal()}",
        "Who may call the API. The default is refused beside a MessageBird key that really sends.",
        secret=True,
    )
    messagebird_key: Secret | None = setting(
        SECRET, None, "The access key of MessageBird.", secret=True, example="live_XXXXXXXXXXXXXXXXXXXXXXXXX"
    )
    messagebird_url: str | None = setting(
        HTTP_URL,
        None,
        f"Where MessageBird answers: {MESSAGEBIRD_ADDRESS} when there is a key, else the built-in sandbox.",
        example=MESSAGEBIRD_ADDRESS,
    )
    public_url: str | None = setting(
        HTTP_URL,
        None,
        "Where the provider reaches this daemon from outside; with it status reports are asked for.",
        example="https://sms.example.com",
    )
    signing_key: Secret | None = setting(
        SECRET,
        None,
        "What MessageBird signs its calls with; without it a status report is believed if its message exists.",
        secret=True,
        example="XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
    )
    rate: float = setting(
        number(above=0, most=500),
        "1",
        "How fast messages go to the provider; 0.2 is one in five seconds. No second ever holds more, so of a rate "
        "such as 2.5 only 2 a second can be used.",
        unit="requests a second",
    )
    spool: SpoolUrl = setting(
        SPOOL_URL, "sqlite:///smsd.db", "Where accepted messages are kept; an absolute path has four slashes."
    )
    backlog_limit: int = setting(
        whole(least=1), "1000000", "How many may wait before more are refused with 429.", unit="recipients"
    )
    idempotency: float = setting(
        number(above=0, most=8760), "24", "How long an Idempotency-Key is remembered.", unit="h"
    )
    retry_base: float = setting(
        number(above=0),
        "1",
        "The longest wait before the second attempt; each further one doubles it.",
        unit="s",
    )
    retry_cap: float = setting(
        number(above=0), "300", "The longest wait between two attempts, however many there were.", unit="s"
    )
    attempts: int = setting(
        whole(least=0), "0", "How often a message is tried; 0 is until it succeeds or its validity ends."
    )
    uncertain: Doubt = setting(
        choice(Doubt),
        "resend",
        "What becomes of a message when nobody can tell whether it was sent: again, or kept for a person.",
    )
    grace: float = setting(
        number(least=0),
        "10",
        "How long after an unanswered attempt the provider may still list it.",
        unit="s",
    )
    # A socket takes no timeout of more than some years: it would fail at every send instead of here.
    timeout: float = setting(number(above=0, most=86400), "20", "How long the provider may take to answer.", unit="s")
    sandbox: str = setting(
        ENDPOINT,
        "tcp:5001:interface=127.0.0.1",
        "Where the built-in sandbox listens when neither key nor address of MessageBird is set.",
    )
    log_format: LogFormat = setting(
        choice(LogFormat),
        "auto",
        "How the log is written; auto is text at a terminal and JSON lines elsewhere.",
    )

    @property
    def sandboxed(self) -> bool:
        """Whether messages go to the built-in sandbox: neither MessageBird's key nor its address is set."""
        return self.messagebird_key is None and self.messagebird_url is None


SETTINGS: Final = settings_of(Settings)


def load(environ: Mapping[str, str], options: Mapping[str, str | None], toml_path: Path | None) -> Settings:
    """Read every source once: defaults, then the toml file, then ``environ``, then ``options``; later wins.

    ``options`` go by a field's name, with ``-`` or ``_``; those that are None were not given. Only
    ``toml_path`` is read, and only when it is not None. Raises SettingsError with all problems at once.
    """
    values, wrong, problems = gather(SETTINGS, environ, options, toml_path)
    settings = Settings(**values)
    # A rule about a value that was refused above would only confuse.
    problems += [text for names, text in _conflicts(settings) if wrong.isdisjoint(names)]
    if problems:
        raise SettingsError(problems=tuple(problems))
    return _completed(settings)


def _conflicts(settings: Settings) -> Iterator[tuple[set[str], str]]:
    if settings.retry_cap < settings.retry_base:
        yield (
            {"retry_base", "retry_cap"},
            f"SMSD_RETRY_CAP is {settings.retry_cap:g} s; it must be at least SMSD_RETRY_BASE, "
            f"{settings.retry_base:g} s.",
        )
    if settings.signing_key is not None and settings.public_url is None:
        yield (
            {"signing_key", "public_url"},
            "SMSD_SIGNING_KEY needs SMSD_PUBLIC_URL: the address that was called is a part of what is signed.",
        )
    key = settings.messagebird_key
    live = key is not None and not key.reveal().startswith(TEST_PREFIX)
    if live and any(each.key == DEMO_KEY for each in settings.api_keys):
        yield (
            {"messagebird_key", "api_keys"},
            f"The demo key {DEMO_KEY.reveal()} is refused with a real provider key; set SMSD_API_KEYS.",
        )


def _completed(settings: Settings) -> Settings:
    if settings.sandboxed:
        return settings
    return attrs.evolve(
        settings,
        messagebird_key=settings.messagebird_key or SANDBOX_KEY,
        messagebird_url=settings.messagebird_url or MESSAGEBIRD_ADDRESS,
    )
