"""Who may come in, and whom a proxy may speak for."""

import pytest

from smsd.settings import SettingsError, load

DEMO = "the demo key BigBird is refused there"


@pytest.mark.parametrize(
    "listen", ["tcp:5000", "tcp:5000:interface=0.0.0.0", "ssl:5443:privateKey=key.pem", r"tcp6:5000:interface=\:\:"]
)
def test_the_demo_key_is_refused_where_other_machines_come_in(listen: str) -> None:
    with pytest.raises(SettingsError, match=DEMO):
        load({"SMSD_LISTEN": listen}, {}, None)
    assert load({"SMSD_LISTEN": listen, "SMSD_API_KEYS": "shop=a-key"}, {}, None).listen == listen


@pytest.mark.parametrize(
    "listen",
    [
        "tcp:5000:interface=127.0.0.1",
        "tcp:5000:interface=127.1.2.3",
        r"tcp6:5000:interface=\:\:1",
        "unix:/run/smsd.sock",
        "systemd:domain=INET:index=0",
    ],
)
def test_the_demo_key_will_do_on_this_machine(listen: str) -> None:
    assert load({"SMSD_LISTEN": listen}, {}, None).listen == listen


def test_proxies_are_addresses_networks_and_a_socket_file() -> None:
    trusted = load({"SMSD_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8,unix,::1"}, {}, None).trusted_proxies
    assert str(trusted) == "127.0.0.1/32, 10.0.0.0/8, ::1/128, unix"
    assert not load({}, {}, None).trusted_proxies.networks


@pytest.mark.parametrize("text", ["everybody", "10.0.0.1/8", "127.0.0.1,,"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="SMSD_TRUSTED_PROXIES"):
        load({"SMSD_TRUSTED_PROXIES": text}, {}, None)
