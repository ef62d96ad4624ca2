"""All that an operator may set: one line a setting."""

# ruff: noqa: RUF009 - setting() is attrs.field(), and every default it parses is immutable.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from smsd.core.message import Category
from smsd.core.policy import Doubt
from smsd.settings.entries import API_KEYS, CALLBACK_SECRETS, per_key
from smsd.settings.kinds import (
    CALLBACK_URL,
    ENDPOINT,
    HTTP_URL,
    PROXIES,
    SECRET,
    TEXT,
    YES_NO,
    choice,
    number,
    whole,
)
from smsd.settings.schema import setting, settings_of
from smsd.settings.signing import signing_secrets
from smsd.settings.spools import ARCHIVE_URL, LIBRDKAFKA, SPOOL_URL
from smsd.settings.types import (
    ApiKey,
    ArchiveUrl,
    CallbackSecret,
    Gateways,
    LogFormat,
    PerKey,
    Secret,
    SpoolUrl,
    TrustedProxies,
)

#: Known to everybody who read the manual, so never beside a key that spends money.
DEMO_KEY: Final = Secret("BigBird")
MESSAGEBIRD_ADDRESS: Final = "https://rest.messagebird.com"
#: More than any provider takes, and within the 15 digits of a structured field's integer (RFC 9651 3.3.1).
MAX_QUOTA: Final = 10**9


@attrs.frozen(kw_only=True)
class Settings:
    """All that an operator may set; ``load`` reads it, and ``schema`` lists it."""

    # To add one: its lines here, and `make docs`.
    listen: str = setting(
        ENDPOINT, "tcp:5000:interface=127.0.0.1", "Where the HTTP API listens, as a Twisted endpoint."
    )
    api_keys: tuple[ApiKey, ...] = setting(
        API_KEYS,
        f"demo={DEMO_KEY.reveal()}",
        "Who may call the API. The default is refused beside a provider's key that really sends.",
        secret=True,
    )
    key_file: str = setting(
        TEXT,
        None,
        "Where the keys are kept, hashed, that smsctl keys makes; left out, beside SQLite's file, elsewhere nowhere.",
        example="/var/lib/smsd/keys.json",
        unset="",
    )
    trusted_proxies: TrustedProxies = setting(
        PROXIES,
        None,
        "Whose X-Forwarded-For is believed: the reverse proxies in front, by address or network; unix for one that "
        "comes by a socket file. Nobody's when left out.",
        example="127.0.0.1, 10.0.0.0/8",
        unset=TrustedProxies(),
    )
    gateway: Gateways = setting(
        choice(Gateways),
        "messagebird",
        "By which provider messages go: MessageBird's classic API, its successor Bird, or both, the second while the "
        "first does not work.",
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
    bird_key: Secret | None = setting(
        SECRET, None, "The API key of Bird.", secret=True, example="bk_eu1_XXXXXXXXXXXXXXXXXXXXXXXXX"
    )
    bird_url: str | None = setting(
        HTTP_URL,
        None,
        "Where Bird answers; left out, the address of the region that the key names.",
        example="https://eu1.platform.bird.com",
    )
    bird_category: Category = setting(
        choice(Category), "transactional", "What Bird is told that messages are for that do not say it themselves."
    )
    bird_webhook_secret: Secret | None = setting(
        SECRET,
        None,
        "What Bird signs its events with; without it none is taken.",
        secret=True,
        example="whsec_XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
    )
    failover: float = setting(
        number(least=0),
        "60",
        "How long the first of two providers may be failing, or take nothing, before the second takes over.",
        unit="s",
    )
    coalesce: bool = setting(YES_NO, "no", "Whether messages that wait go to Bird together, up to 100 in one request.")
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
    workers: int | None = setting(
        whole(least=0, most=64),
        None,
        "How many accept processes may be started while many requests come in; 0 is none. Left out: one for each core, "
        "if there are several. With 0 there is no process beside the daemon at all; else, from a rate of 100 on, one "
        "more asks the provider.",
        example="2",
    )
    rate: float = setting(
        number(above=0, most=500),
        "1",
        "How fast messages go to the provider; 0.2 is one in five seconds. No second ever holds more, so of a rate "
        "such as 2.5 only 2 a second can be used.",
        unit="requests a second",
    )
    spool: SpoolUrl = setting(
        SPOOL_URL,
        "sqlite:///smsd.db",
        "Where accepted messages are kept: sqlite:///PATH (absolute with four slashes), memory:, or what nodes share: "
        "postgresql://…, kafka://HOST:PORT,…/TOPIC, kinesis://STREAM.",
    )
    lease: float | None = setting(
        number(above=1, most=3600),
        None,
        "On an engine that nodes share: how long one may be silent until another takes over what it had. Left out, "
        "30 s on PostgreSQL, 5 s on a stream.",
        unit="s",
        example="30",
    )
    ledger: str = setting(
        TEXT,
        "smsd-ledger.db",
        "On a stream: the file with this node's copy of what is in it. If another node has it, the next name is "
        "taken, smsd-ledger-2.db and so on.",
    )
    snapshot: float = setting(
        number(least=0, most=8760),
        "6",
        "On a stream: how often a snapshot of all that is in it is put into TOPIC-snapshots or, of DynamoDB, the table "
        "STREAM-snapshots. New nodes begin from one, and of a topic no more is kept than since the last but one; 0 "
        "takes none.",
        unit="h",
    )
    kafka: tuple[tuple[str, Secret], ...] = setting(
        LIBRDKAFKA,
        None,
        "What librdkafka is told beside the brokers, by its own names with underscores for dots.",
        secret=True,
        example='{"security.protocol" = "SASL_SSL", "sasl.username" = "smsd"}',
        unset=(),
    )
    kinesis_create: bool = setting(YES_NO, "no", "Whether a stream of Kinesis that is missing is made.")
    kinesis_trust: bool = setting(
        YES_NO,
        "no",
        "Whether this node's copy is complete though the stream has dropped what came after it: for one start, of the "
        "node that stopped last, after all were off for longer than the stream keeps.",
    )
    backlog_limit: int = setting(
        whole(least=1), "1000000", "How many may wait before more are refused with 429.", unit="recipients"
    )
    key_rate: PerKey[int] = setting(
        per_key(whole(least=1, most=MAX_QUOTA), "N"),
        None,
        "How many recipients an API key may have accepted in a minute; no limit when left out.",
        unit="recipients a minute",
        example="600",
        unset=PerKey(),
    )
    key_quota: PerKey[int] = setting(
        per_key(whole(least=1, most=MAX_QUOTA), "N"),
        None,
        "How many recipients an API key may have accepted in a day, in UTC; no limit when left out.",
        unit="recipients a day",
        example="10000",
        unset=PerKey(),
    )
    idempotency: float = setting(
        number(above=0, most=8760), "24", "How long an Idempotency-Key is remembered.", unit="h"
    )
    ageing: float = setting(
        number(above=0),
        "600",
        "How long a message waits in line before it gets one turn in ten whatever its priority.",
        unit="s",
    )
    stale: float = setting(
        number(least=0),
        "0",
        "After an outage longer than this, what should have gone before is held for an operator's word; 0 is off.",
        unit="s",
    )
    keep: float = setting(
        number(above=0), "30", "How long a finished message keeps its text and its numbers.", unit="days"
    )
    callback_urls: PerKey[str] = setting(
        per_key(CALLBACK_URL, "URL"),
        None,
        "Where changes of state are posted when the message itself names no address; a comma in one is written %2C.",
        example="https://shop.example.com/sms",
        unset=PerKey(),
    )
    inbound_url: str | None = setting(
        CALLBACK_URL,
        None,
        "Where incoming messages are posted, signed as the callbacks of the first API key are.",
        example="https://shop.example.com/inbound",
    )
    callback_secrets: tuple[CallbackSecret, ...] = setting(
        CALLBACK_SECRETS,
        None,
        "What callbacks are signed with, the newest first; all of them sign. An API key without any signs with a "
        "secret derived from it.",
        secret=True,
        example="whsec_XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
        unset=(),
    )
    callback_private: bool = setting(
        YES_NO, "no", "Whether callbacks may go to private, loopback and link-local addresses."
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
    archive: ArchiveUrl | None = setting(
        ARCHIVE_URL,
        None,
        "Where each dead letter is put as JSON: s3://BUCKET/PREFIX, file:///DIR, or a topic of Kafka, "
        "kafka://HOST:PORT,…/TOPIC.",
        example="s3://company-sms/production",
    )
    archive_encryption: str = setting(
        TEXT, None, "How S3 encrypts letters; left out, as the bucket says.", example="aws:kms", unset=""
    )
    sentry_dsn: Secret | None = setting(
        SECRET,
        None,
        "Where Sentry takes errors, dead letters and held gateways.",
        secret=True,
        example="https://key@sentry.example.com/1",
        env="SENTRY_DSN",
    )
    datadog_host: str | None = setting(
        TEXT, None, "Where Datadog's agent takes metrics.", example="127.0.0.1", env="DD_AGENT_HOST"
    )
    datadog_port: int = setting(
        whole(least=1, most=65535), "8125", "The port of Datadog's agent.", env="DD_DOGSTATSD_PORT"
    )
    node: str = setting(
        TEXT, None, "What this daemon is called in reports; the host's name when left out.", example="sms-1", unset=""
    )
    log_format: LogFormat = setting(
        choice(LogFormat),
        "auto",
        "How the log is written; auto is text at a terminal and JSON lines elsewhere.",
    )

    @property
    def sandboxed(self) -> bool:
        """Whether messages go to the built-in sandbox: by MessageBird, whose key and address are not set."""
        return "messagebird" in self.gateway.names and not self.knows_messagebird

    @property
    def knows_messagebird(self) -> bool:
        """Whether MessageBird can be asked for what it was sent, be it by an earlier process."""
        return self.messagebird_key is not None or self.messagebird_url is not None

    @property
    def knows_bird(self) -> bool:
        """Whether Bird can be asked for what it was sent, be it by an earlier process."""
        return self.bird_key is not None

    @property
    def signing_secrets(self) -> Mapping[str, Sequence[bytes]]:
        """By the name of each API key, the octets that its callbacks are signed with; never none."""
        return signing_secrets(self.api_keys, self.callback_secrets)


SETTINGS: Final = settings_of(Settings)
