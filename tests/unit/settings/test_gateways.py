"""By which provider messages go, and what that needs."""

import pytest

from smsd.core.message import Category
from smsd.settings import Secret, Settings, SettingsError, load

BIRD = {"gateway": "bird", "bird_key": "bk_eu1_hush", "api_keys": "shop=a"}
BOTH = {**BIRD, "gateway": "messagebird,bird", "messagebird_key": "live_hush"}


def from_env(**values: str) -> Settings:
    return load({f"SMSD_{name.upper()}": text for name, text in values.items()}, {}, None)


def refusal(**values: str) -> str:
    with pytest.raises(SettingsError) as caught:
        from_env(**values)
    return str(caught.value)


def test_messages_go_by_the_classic_api_unless_said_otherwise() -> None:
    settings = from_env()
    assert settings.gateway.names == ("messagebird",)
    assert (settings.bird_category, settings.failover, settings.coalesce) == (Category.TRANSACTIONAL, 60.0, False)
    assert not settings.knows_bird


def test_one_setting_and_a_key_move_all_to_bird() -> None:
    settings = from_env(**BIRD)
    assert (settings.gateway.names, settings.bird_key, settings.bird_url) == (("bird",), Secret("bk_eu1_hush"), None)
    assert not settings.sandboxed
    assert settings.messagebird_key is None


def test_what_is_in_flight_under_the_old_key_can_still_be_asked_for() -> None:
    assert not from_env(**BIRD).knows_messagebird
    settings = from_env(**BIRD, messagebird_key="live_hush")
    assert settings.knows_messagebird
    assert settings.messagebird_url == "https://rest.messagebird.com"
    assert from_env(messagebird_key="test_x", bird_key="bk_eu1_hush", api_keys="shop=a").knows_bird


@pytest.mark.parametrize("gateway", ["messagebird,bird", "bird,messagebird"])
def test_the_second_of_two_is_behind_the_first(gateway: str) -> None:
    assert ",".join(from_env(**{**BOTH, "gateway": gateway}).gateway.names) == gateway


def test_bird_needs_its_key() -> None:
    assert refusal(gateway="bird") == "SMSD_GATEWAY is bird; that needs SMSD_BIRD_KEY."


def test_two_gateways_need_two_keys() -> None:
    without = {name: value for name, value in BOTH.items() if name != "messagebird_key"}
    assert refusal(**without) == "SMSD_GATEWAY is messagebird,bird; that needs SMSD_MESSAGEBIRD_KEY."


def test_a_key_that_names_no_region_needs_an_address() -> None:
    assert refusal(**{**BIRD, "bird_key": "hush"}) == "SMSD_BIRD_KEY names no region (bk_REGION_…); set SMSD_BIRD_URL."
    assert from_env(**{**BIRD, "bird_key": "hush"}, bird_url="https://eu1.example.com").bird_url


def test_the_demo_key_is_refused_with_a_key_of_birds_that_really_sends() -> None:
    real = {"gateway": "bird", "bird_key": "bk_eu1_hush"}
    assert refusal(**real) == "The demo key BigBird is refused with a real provider key; set SMSD_API_KEYS."
    assert from_env(**real, bird_url="http://127.0.0.1:5001")


@pytest.mark.parametrize("gateway", ["twilio", "bird,bird", "messagebird+bird"])
def test_another_provider_is_refused(gateway: str) -> None:
    assert "SMSD_GATEWAY" in refusal(gateway=gateway)
