"""Numbers and texts are for those who may see them."""

import attrs

from smsd.api.dashboard.sight import Sight
from smsd.core.address import Msisdn
from smsd.core.key import Holder, Role
from tests.messages import message

READER = Sight.of(Holder(name="r", digest="", roles=frozenset({Role.READ})))
OPERATOR = Sight.of(Holder(name="o", digest="", roles=frozenset({Role.OPERATE})))


def test_who_may_read_sees_numbers_and_texts() -> None:
    assert READER.to(message()) == "+31633450007"
    assert READER.text(message()) == "This is a test message."
    assert READER.words("called +31 6 3345 0007") == "called +31 6 3345 0007"


def test_who_may_not_sees_neither_in_whosever_words() -> None:
    two = attrs.evolve(message(), recipients=(Msisdn("31633450007"), Msisdn("31633450008")))
    assert OPERATOR.to(two) == "31…07 and 1 more"
    assert "test message" not in OPERATOR.text(two)
    assert OPERATOR.words("called +31 6 3345 0007, code 9") == "called …, code 9"


def test_of_a_forgotten_message_there_is_nothing_to_see() -> None:
    assert READER.to(message(recipients=())) == "forgotten"
