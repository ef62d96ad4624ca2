"""What an operator may set for each API key, and how that is told when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsd.settings import Settings, SettingsError, load
from smsd.settings.types import PerKey

KEYS = "shop=hush1,bank=hush2"


def from_env(**values: str) -> Settings:
    return load({f"SMSD_{name.upper()}": text for name, text in ({"api_keys": KEYS} | values).items()}, {}, None)


def from_toml(directory: Path, line: str) -> Settings:
    path = directory / "smsd.toml"
    path.write_text(f'api_keys = "{KEYS}"\n{line}', encoding="utf-8")
    return load({}, {}, path)


def refusal(**values: str) -> str:
    with pytest.raises(SettingsError) as caught:
        from_env(**values)
    return str(caught.value)


def test_without_any_source_nothing_is_limited_posted_or_private() -> None:
    settings = load({}, {}, None)
    assert settings.callback_urls == settings.key_rate == settings.key_quota == PerKey()
    assert settings.key_rate.of("demo") is None
    assert (settings.callback_secrets, settings.inbound_url, settings.callback_private) == ((), None, False)
    assert (settings.stale, settings.keep, settings.ageing) == (0, 30, 600)


@pytest.mark.parametrize("name", ["key_rate", "key_quota"])
@pytest.mark.parametrize(
    ("text", "shop", "bank"),
    [("60", 60, 60), ("shop=100", 100, None), ("shop=100,60", 100, 60), (" 60 , shop=100", 100, 60)],
)
def test_a_quota_is_for_a_key_by_name_and_bare_for_the_others(
    name: str, text: str, shop: int | None, bank: int | None
) -> None:
    given = getattr(from_env(**{name: text}), name)
    assert (given.of("shop"), given.of("bank")) == (shop, bank)


@pytest.mark.parametrize(
    "given", ["60", '"shop=60,60"', '["shop=60", 60]', "[60]", "{shop = 60, bank = 60}", '{shop = "60", bank = 60}']
)
def test_toml_may_give_a_quota_in_many_shapes(tmp_path: Path, given: str) -> None:
    settings = from_toml(tmp_path, f"key_rate = {given}")
    assert (settings.key_rate.of("shop"), settings.key_rate.of("bank")) == (60, 60)


def test_options_give_them_too() -> None:
    settings = load({}, {"key-rate": "5", "callback-private": "yes", "callback-urls": "http://127.0.0.1/"}, None)
    assert (settings.key_rate.of("demo"), settings.callback_urls.of("demo")) == (5, "http://127.0.0.1/")


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("0", "entry 1 is not a whole number of at least 1 and at most 1000000000"),
        ("shop=1000000001", "entry 1 is not a whole number"),
        ("60,shop=", "entry 2 is not a whole number"),
        ("60,", "entry 2 is not a whole number"),
        ("shop=1.5", "entry 1 is not a whole number"),
        ("shop=1,shop=2", "entries 1 and 2 have the same name, or both none"),
        ("1,shop=1,2", "entries 1 and 3 have the same name, or both none"),
    ],
)
def test_a_wrong_quota_is_named_by_its_place(text: str, because: str) -> None:
    said = refusal(key_rate=text)
    assert said.startswith(f"SMSD_KEY_RATE is {text!r} ({because}")
    assert said.endswith(
        "; it must be comma-separated NAME=N for single API keys, N for all others; "
        "N is a whole number of at least 1 and at most 1000000000."
    )


@pytest.mark.parametrize("given", ["[]", "{}", "true", "1.5", "[[1]]", "{shop = true}", '{"a b" = 1}', "{a.b = 1}"])
def test_a_quota_of_the_wrong_type_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(SettingsError, match=r"^key_quota in smsd\.toml is .*; it must be"):
        from_toml(tmp_path, f"key_quota = {given}")


@pytest.mark.parametrize(
    ("name", "text"),
    [("key_rate", "shpo=1"), ("key_quota", "shpo=1"), ("callback_urls", "shpo=https://a.example/")],
)
def test_a_name_that_is_no_api_key_names_the_nearest(name: str, text: str) -> None:
    said = refusal(**{name: text})
    assert said == f"SMSD_{name.upper()} has 'shpo' that is no API key's; did you mean shop?"


def test_no_name_is_looked_for_when_the_keys_are_wrong() -> None:
    assert refusal(api_keys=",", key_rate="shop=1").count("\n") == 0


def test_callback_urls_are_for_a_key_by_name_and_bare_for_the_others() -> None:
    urls = from_env(callback_urls="shop=https://a.example/x?y=1&z=2, http://b.example:8080").callback_urls
    assert (urls.of("shop"), urls.of("bank")) == ("https://a.example/x?y=1&z=2", "http://b.example:8080")


def test_a_bare_url_with_an_equals_sign_has_no_name() -> None:
    assert from_env(callback_urls="https://a.example/?y=1").callback_urls.entries == ((None, "https://a.example/?y=1"),)


def test_toml_may_give_urls_in_a_table_where_they_may_hold_commas(tmp_path: Path) -> None:
    urls = from_toml(tmp_path, 'callback_urls = {shop = "https://a.example/1,2"}').callback_urls
    assert (urls.of("shop"), urls.of("bank")) == ("https://a.example/1,2", None)


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("ftp://a.example", "a callback URL starts with https:// or http://"),
        ("https://a example", "a callback URL has only the characters of RFC 3986"),
        ("https://a.example:0", "the port of a callback URL is a number from 1 to 65535"),
        ("https://" + "a" * 2048, "a callback URL has at most 2048 characters"),
    ],
)
def test_what_can_never_be_posted_to_is_refused(text: str, because: str) -> None:
    assert f"entry 1 is not an http:// or https:// address without user: {because}" in refusal(callback_urls=text)
    said = refusal(inbound_url=text)
    assert said.startswith(f"SMSD_INBOUND_URL is {text!r} ({because}")
    assert said.endswith("; it must be an http:// or https:// address without user.")


def test_the_password_in_a_url_is_not_shown() -> None:
    said = refusal(callback_urls="https://me:hush@a.example", inbound_url="https://me:hush@a.example")
    assert "hush" not in said
    assert said.count("a callback URL has no user name or password") == 2


INWARD = "a callback URL may not lead to a private, loopback or link-local address; SMSD_CALLBACK_PRIVATE=yes lets it."


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://localhost", "http://10.0.0.1", "http://[fe80::1]/"])
def test_an_inward_address_needs_callback_private(url: str) -> None:
    assert refusal(inbound_url=url) == f"SMSD_INBOUND_URL: {INWARD}"
    assert refusal(callback_urls=url) == f"SMSD_CALLBACK_URLS: {INWARD}"
    assert refusal(callback_urls=f"https://a.example,shop={url}") == f"SMSD_CALLBACK_URLS for shop: {INWARD}"
    assert from_env(inbound_url=url, callback_private="yes").inbound_url == url
    assert from_env(callback_urls=url, callback_private="yes").callback_urls.of("shop") == url


def test_nothing_is_said_of_inward_addresses_when_callback_private_is_wrong() -> None:
    assert refusal(inbound_url="http://10.0.0.1", callback_private="perhaps") == (
        "SMSD_CALLBACK_PRIVATE is 'perhaps'; it must be yes or no (or true or false)."
    )


@pytest.mark.parametrize(("word", "value"), [("yes", True), ("true", True), (" no ", False), ("false", False)])
def test_yes_and_no_are_read(word: str, value: bool) -> None:
    assert from_env(callback_private=word).callback_private is value


@pytest.mark.parametrize("word", ["true", '"yes"'])
def test_toml_has_booleans_of_its_own(tmp_path: Path, word: str) -> None:
    assert from_toml(tmp_path, f"callback_private = {word}").callback_private is True


@pytest.mark.parametrize("word", ["1", "[true]", "{}"])
def test_no_other_toml_is_yes_or_no(tmp_path: Path, word: str) -> None:
    with pytest.raises(SettingsError, match=r"callback_private in smsd\.toml is"):
        from_toml(tmp_path, f"callback_private = {word}")


def test_days_and_seconds_may_be_fractions() -> None:
    settings = from_env(keep="0.5", stale="90.5", ageing="0.1")
    assert (settings.keep, settings.stale, settings.ageing) == (0.5, 90.5, 0.1)
