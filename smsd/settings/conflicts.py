"""Holds settings against one another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final
from urllib.parse import urlsplit

from smsd.core.receiver import check_url
from smsd.settings.kinds import clause
from smsd.settings.tree import DEMO_KEY, Settings
from smsd.settings.types import KafkaUrl, Secret
from smsd.spool.stream.shelf import SNAPSHOTS

#: What MessageBird's keys begin with that send nothing.
TEST_PREFIX: Final = "test_"
#: What Bird's keys begin with that name the region which they are for; the SDK's own rule.
_REGION: Final = re.compile(r"(bk|bm)_[a-z]{2}[0-9]+_.")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def conflicts(settings: Settings) -> Iterator[tuple[set[str], str]]:
    """Every rule that ``settings`` break: the fields it is about, and a sentence."""
    yield from _retries(settings)
    yield from _provider(settings)
    yield from _bird(settings)
    yield from _strangers(settings)
    yield from _inward(settings)
    yield from _exposed(settings)
    yield from _topics(settings)


def _retries(settings: Settings) -> Iterator[tuple[set[str], str]]:
    if settings.retry_cap < settings.retry_base:
        yield (
            {"retry_base", "retry_cap"},
            f"SMSD_RETRY_CAP is {settings.retry_cap:g} s; it must be at least SMSD_RETRY_BASE, "
            f"{settings.retry_base:g} s.",
        )


def _provider(settings: Settings) -> Iterator[tuple[set[str], str]]:
    if settings.signing_key is not None and settings.public_url is None:
        yield (
            {"signing_key", "public_url"},
            "SMSD_SIGNING_KEY needs SMSD_PUBLIC_URL: the address that was called is a part of what is signed.",
        )
    real = {name for name in ("messagebird_key", "bird_key") if _really_sends(settings, name)}
    if real and any(each.key == DEMO_KEY for each in settings.api_keys):
        yield (
            {*real, "api_keys"},
            f"The demo key {DEMO_KEY.reveal()} is refused with a real provider key; set SMSD_API_KEYS.",
        )


def _topics(settings: Settings) -> Iterator[tuple[set[str], str]]:
    spool, archive = settings.spool, settings.archive
    if not (isinstance(spool, KafkaUrl) and isinstance(archive, KafkaUrl)):
        return
    if archive.topic in (spool.topic, spool.topic + SNAPSHOTS):
        yield (
            {"spool", "archive"},
            f"SMSD_ARCHIVE names the topic {archive.topic}, which SMSD_SPOOL has for itself: use another.",
        )


def _really_sends(settings: Settings, name: str) -> bool:
    key: Secret | None = getattr(settings, name)
    if key is None or key.reveal().startswith(TEST_PREFIX):
        return False
    # Bird's keys for trials look like all others: a look-alike on this machine is what can be told from outside.
    return name != "bird_key" or urlsplit(settings.bird_url or "").hostname not in _LOOPBACK


def _bird(settings: Settings) -> Iterator[tuple[set[str], str]]:
    if "bird" in settings.gateway.names and settings.bird_key is None:
        yield {"gateway", "bird_key"}, f"SMSD_GATEWAY is {settings.gateway.value}; that needs SMSD_BIRD_KEY."
    if len(settings.gateway.names) > 1 and not settings.knows_messagebird:
        yield (
            {"gateway", "messagebird_key", "messagebird_url"},
            f"SMSD_GATEWAY is {settings.gateway.value}; that needs SMSD_MESSAGEBIRD_KEY.",
        )
    if settings.bird_key is not None and settings.bird_url is None and not _REGION.match(settings.bird_key.reveal()):
        yield (
            {"bird_key", "bird_url"},
            "SMSD_BIRD_KEY names no region (bk_REGION_…); set SMSD_BIRD_URL.",
        )


def _strangers(settings: Settings) -> Iterator[tuple[set[str], str]]:
    known = [each.name for each in settings.api_keys]
    for field, names in (
        ("callback_urls", settings.callback_urls.names),
        ("callback_secrets", [each.name for each in settings.callback_secrets if each.name is not None]),
        ("key_rate", settings.key_rate.names),
        ("key_quota", settings.key_quota.names),
    ):
        for name in dict.fromkeys(names):
            if name not in known:
                nearest = get_close_matches(name, known, n=1, cutoff=0.0)[0]
                # Where secrets are written, a name may be one that went astray.
                shown = "a name" if field == "callback_secrets" else repr(name)
                yield (
                    {field, "api_keys"},
                    f"SMSD_{field.upper()} has {shown} that is no API key's; did you mean {nearest}?",
                )


def _inward(settings: Settings) -> Iterator[tuple[set[str], str]]:
    urls = [("callback_urls", name, url) for name, url in settings.callback_urls.entries]
    if settings.inbound_url is not None:
        urls.append(("inbound_url", None, settings.inbound_url))
    for field, name, url in urls:
        try:
            check_url(url, allow_private=settings.callback_private)
        except ValueError as error:
            owner = f" for {name}" if name else ""
            yield (
                {field, "callback_private"},
                f"SMSD_{field.upper()}{owner}: {clause(error)}; SMSD_CALLBACK_PRIVATE=yes lets it.",
            )


def _exposed(settings: Settings) -> Iterator[tuple[set[str], str]]:
    scheme, *arguments = re.split(r"(?<!\\):", settings.listen)
    if scheme not in ("tcp", "tcp6", "ssl") or not any(each.key == DEMO_KEY for each in settings.api_keys):
        return
    named = [each.removeprefix("interface=") for each in arguments if each.startswith("interface=")]
    interface = named[0].replace("\\", "") if named else ""
    if interface not in _LOOPBACK and not interface.startswith("127."):
        yield (
            {"listen", "api_keys"},
            f"SMSD_LISTEN lets other machines in; the demo key {DEMO_KEY.reveal()} is refused there: set SMSD_API_KEYS "
            "or interface=127.0.0.1.",
        )
