import base64

import pytest

from smsd.core.signature import parse_secret, sign

#: The example that the reference libraries of Standard Webhooks are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def whsec(octets: int) -> str:
    return "whsec_" + base64.b64encode(b"x" * octets).decode()


def test_the_published_example_is_signed_as_published() -> None:
    assert sign([parse_secret(SECRET)], ID, AT, BODY) == SIGNATURE


def test_while_a_secret_is_replaced_both_sign() -> None:
    new = parse_secret(whsec(32))
    assert sign([new, parse_secret(SECRET)], ID, AT, BODY) == f"{sign([new], ID, AT, BODY)} {SIGNATURE}"


@pytest.mark.parametrize(("id", "at", "body"), [("msg_2", AT, BODY), (ID, AT + 1, BODY), (ID, AT, BODY + b" ")])
def test_the_id_the_time_and_the_body_are_all_signed(id: str, at: int, body: bytes) -> None:
    assert sign([parse_secret(SECRET)], id, at, body) != SIGNATURE


@pytest.mark.parametrize("octets", [24, 64])
def test_a_secret_has_from_24_to_64_octets(octets: int) -> None:
    assert parse_secret(whsec(octets)) == b"x" * octets


@pytest.mark.parametrize(
    "text", ["", "whsec_", whsec(23), whsec(65), SECRET.removeprefix("whsec_"), SECRET + "!", "whsec_" + "ä" * 32]
)
def test_what_is_no_secret_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="signing secret") as refusal:
        parse_secret(text)
    assert len(text) < 8 or text.removeprefix("whsec_") not in str(refusal.value)
