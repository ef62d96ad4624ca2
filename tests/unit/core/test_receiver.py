from ipaddress import IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsd.core.receiver import check_url, host_of, is_public

INWARD = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]
NOT_ALLOWED = "private, loopback or link-local"


@pytest.mark.parametrize("address", INWARD)
def test_an_address_that_is_not_on_the_public_internet_is_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_known(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_no_more_public_in_the_clothes_of_ipv6(address: object) -> None:
    assert is_public(f"::ffff:{address}") == is_public(f"64:ff9b::{address}") == is_public(str(address))


@given(st.ip_addresses())
def test_nothing_is_public_that_python_calls_private(address: object) -> None:
    parsed = ip_address(str(address))
    carries_4 = parsed.version == 6 and any(
        parsed in IPv6Network(network) for network in ("::ffff:0:0/96", "64:ff9b::/96")
    )
    if not carries_4 and (not parsed.is_global or parsed.is_multicast or parsed.is_reserved):
        assert not is_public(str(parsed))


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/sms?x=1&y=%20#top",
        "HTTP://Hooks.Example.com:8080",
        "https://xn--bcher-kva.example/",
        "https://sms_hooks.example/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:8443/",
        "https://1and1.example/",
    ],
)
def test_a_url_on_the_public_internet_is_taken(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://LOCALHOST:80/",
        "http://a.localhost/",
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::FFFF:7f00:1]/",
        "http://[fe80::1]/",
    ],
)
def test_a_url_that_leads_inward_is_taken_only_if_that_is_allowed(url: str) -> None:
    with pytest.raises(ValueError, match=NOT_ALLOWED):
        check_url(url)
    check_url(url, allow_private=True)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "characters"),
        ("hooks.example", "https"),
        ("ftp://a.example/", "https"),
        ("file:///etc/passwd", "https"),
        ("javascript:alert(1)", "https"),
        ("https:a.example", "https"),
        ("https://", "host"),
        ("https:///path", "host"),
        ("https://user@a.example/", "password"),
        ("https://user:secret@a.example/", "password"),
        ("https://a.example:0/", "port"),
        ("https://a.example:65536/", "port"),
        ("https://a.example:x/", "port"),
        ("https://a.example:/", "port"),
        ("https://a.example:80:80/", "port"),
        ("https://a.example\\@127.0.0.1/", "characters"),
        ("https://a.example/ b", "characters"),
        ("https://a.exa\nmple/", "characters"),
        ("https://a.example/\r\nX: y", "characters"),
        ("https://a.example/\x00", "characters"),
        ("https://bücher.example/", "characters"),
        ("https://①②⑦.0.0.1/", "characters"),
        ("https://a..example/", "host"),
        ("https://a.example./", "host"),
        ("https://-a.example/", "host"),
        ("https://a%2eexample/", "host"),
        ("https://" + "a" * 64 + ".example/", "host"),
        ("https://" + "a." * 127 + "example/", "host"),
        ("https://127.1/", "four numbers"),
        ("https://0x7f000001/", "four numbers"),
        ("https://0x7f.1/", "four numbers"),
        ("https://2130706433/", "four numbers"),
        ("https://0177.0.0.1/", "four numbers"),
        ("https://127.0.0.256/", "four numbers"),
        ("https://[::1/", "host"),
        ("https://[v1.a]/", "host"),
        ("https://[fe80::1%25eth0]/", "host"),
        ("https://[127.0.0.1]/", "host"),
        ("https://a.example/" + "x" * 2048, "2048"),
    ],
)
def test_what_is_no_url_to_post_to_is_refused_with_the_reason_even_if_private_is_allowed(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_url(url, allow_private=True)


@given(st.text())
def test_any_text_is_taken_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://a.example:{text}", f"http://[{text}]/"):
        try:
            check_url(url)
        except ValueError:
            continue


def test_the_host_is_in_lower_case_and_without_brackets() -> None:
    assert host_of("https://Hooks.Example:8443/x") == "hooks.example"
    assert host_of("http://[::1]:80/") == "::1"
