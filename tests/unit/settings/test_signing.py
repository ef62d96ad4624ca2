"""What callbacks are signed with."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core.signature import parse_secret
from smsd.settings import Settings, SettingsError, load

KEYS = "shop=BigBird,bank=hush"
API_MANUAL = Path(__file__).parents[3] / "docs" / "api.md"


def whsec(letter: bytes, octets: int = 32) -> str:
    return "whsec_" + base64.b64encode(letter * octets).decode()


A, B, C = (whsec(letter) for letter in (b"a", b"b", b"c"))


def from_env(callback_secrets: str, api_keys: str = KEYS) -> Settings:
    return load({"SMSD_API_KEYS": api_keys, "SMSD_CALLBACK_SECRETS": callback_secrets}, {}, None)


def signers(settings: Settings, name: str) -> bytes:
    """The first octet of each secret."""
    return bytes(secret[0] for secret in settings.signing_secrets[name])


def refusal(callback_secrets: str) -> str:
    with pytest.raises(SettingsError) as caught:
        from_env(callback_secrets)
    return str(caught.value)


def test_a_bare_secret_signs_for_every_key() -> None:
    settings = from_env(A)
    assert settings.signing_secrets == {"shop": (b"a" * 32,), "bank": (b"a" * 32,)}


def test_all_of_a_keys_secrets_sign_in_the_order_given_and_the_shared_ones_after() -> None:
    settings = from_env(f"{C}, shop={B}, shop={A}")
    assert (signers(settings, "shop"), signers(settings, "bank")) == (b"bac", b"c")


@pytest.mark.parametrize("octets", [24, 25, 26, 64])
def test_the_padding_of_base64_is_not_taken_for_a_name(octets: int) -> None:
    settings = from_env(f"{whsec(b'a', octets)},shop={whsec(b'b', octets)}")
    assert settings.signing_secrets == {"shop": (b"b" * octets, b"a" * octets), "bank": (b"a" * octets,)}


def test_toml_may_give_secrets_in_a_list_or_a_table(tmp_path: Path) -> None:
    path = tmp_path / "smsd.toml"
    for text in (f'["shop={A}"]', f'{{shop = "{A}"}}', f'"shop={A}"'):
        path.write_text(f'api_keys = "{KEYS}"\ncallback_secrets = {text}')
        assert signers(load({}, {}, path), "shop") == b"a"


@pytest.mark.parametrize("given", ["[]", "{}", "5", "true", "[[]]"])
def test_toml_of_the_wrong_type_is_refused(tmp_path: Path, given: str) -> None:
    path = tmp_path / "smsd.toml"
    path.write_text(f"callback_secrets = {given}")
    with pytest.raises(SettingsError, match=r"callback_secrets in smsd\.toml is not valid"):
        load({}, {}, path)


#: What a receiver computes for the API key BigBird, as openssl 3 printed it.
DERIVED = "whsec_lSKbweCwWeBZ701HpURjS/DqimLyc+CtbgMwSJt1zY8="


def test_a_key_without_a_secret_signs_with_one_derived_from_it() -> None:
    settings = from_env(f"bank={A}")
    assert settings.signing_secrets["shop"] == (parse_secret(DERIVED),)
    assert signers(settings, "bank") == b"a"


def test_without_any_secret_each_key_signs_with_its_own() -> None:
    secrets = load({"SMSD_API_KEYS": KEYS}, {}, None).signing_secrets
    assert secrets["shop"] == (parse_secret(DERIVED),)
    assert secrets["bank"] != secrets["shop"]


@pytest.mark.engines
@pytest.mark.parametrize("key", ["BigBird", "-n", "a b'c\"$d%s\\e".replace(" ", "")])
def test_a_receiver_computes_it_with_the_manuals_command(key: str) -> None:
    assert shutil.which("openssl"), "openssl is missing: it is Debian's package of that name"
    (command,) = [line.strip() for line in API_MANUAL.read_text().splitlines() if "openssl dgst" in line]
    told = subprocess.run(["sh", "-c", command], env={"API_KEY": key, "PATH": "/usr/bin:/bin"}, capture_output=True)
    settings = load({"SMSD_API_KEYS": f"shop={key}"}, {}, None)
    assert settings.signing_secrets["shop"] == (parse_secret(told.stdout.decode().strip()),)


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("hush", "entry 1 is not whsec_ and 24 to 64 octets in base64: a signing secret starts with whsec_"),
        (f"{A},shop=hush", "entry 2 is not whsec_ and 24 to 64 octets in base64: a signing secret starts with whsec_"),
        (f"{A},whsec_hush!", "a signing secret is base64 after whsec_"),
        (f"{A},", "entry 2 is not whsec_"),
        (f"shop={whsec(b'h', 23)}", "a signing secret has 24 to 64 octets, this one has 23"),
        (whsec(b"h", 65), "a signing secret has 24 to 64 octets, this one has 65"),
        (f"shop={A},{A},shop={A}", "entries 1 and 3 have the same name and secret"),
        (f"whsec_hush={A}", "the name of entry 1 starts with whsec_"),
    ],
)
def test_a_wrong_secret_is_refused_by_its_place_and_never_shown(text: str, because: str) -> None:
    said = refusal(text)
    assert said.startswith("SMSD_CALLBACK_SECRETS is not valid (")
    assert because in said
    assert "hush" not in said
    assert A not in said
    assert "aGho" not in said  # hhh, in base64


def test_a_name_that_is_no_api_keys_is_not_shown_either() -> None:
    said = refusal(f"shpo={A}")
    assert said == "SMSD_CALLBACK_SECRETS has a name that is no API key's; did you mean shop?"


def test_no_secret_is_in_a_repr() -> None:
    settings = from_env(f"shop={A},{B}")
    shown = f"{settings!r} {settings} {attrs.asdict(settings)} {settings.callback_secrets}"
    assert "whsec" not in shown
    assert "aaa" not in shown
    assert A.removeprefix("whsec_") not in shown


@given(st.binary(min_size=24, max_size=64), st.sampled_from(["", "shop="]))
def test_any_secret_is_taken_as_it_is_written(octets: bytes, name: str) -> None:
    settings = from_env(f"{name}whsec_{base64.b64encode(octets).decode()}")
    assert settings.signing_secrets["shop"] == (octets,)
