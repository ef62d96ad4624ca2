"""Whoever must tell no secret is given them all."""

from smsd.settings import load
from smsd.settings.types import secrets_in

SECRETS = {
    "SMSD_API_KEYS": "shop=first-client,second-client",
    "SMSD_MESSAGEBIRD_KEY": "live_messagebird",
    "SMSD_BIRD_KEY": "bk_eu1_bird",
    "SMSD_BIRD_WEBHOOK_SECRET": "whsec_YmlyZGJpcmRiaXJkYmlyZGJpcmRiaXJk",
    "SMSD_PUBLIC_URL": "https://smsd.example",
    "SMSD_SIGNING_KEY": "signing-key",
    "SENTRY_DSN": "https://public@sentry.example/1",
    "SMSD_SPOOL": "postgresql://smsd:pass-word@db.example/smsd",
}


def test_every_secret_of_the_settings_is_found_also_a_password_in_a_url() -> None:
    found = set(secrets_in(load(SECRETS, {}, None)))
    wanted = {"first-client", "second-client", "pass-word"} | set(SECRETS.values())
    wanted -= {SECRETS["SMSD_API_KEYS"], SECRETS["SMSD_PUBLIC_URL"]}
    assert wanted - found == set()
