from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from smsd.api.validation import InvalidBody, SmsBody
from smsd.core.submission import Submission

NOW = 1_795_500_810.0
SMS = {"originator": "MB", "message": "Hi", "recipient": 31633450007}
RULE = (
    "Must be an http or https address of at most 2048 characters,"
    " on the public Internet unless SMSD_CALLBACK_PRIVATE is yes"
)


def problems(body: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidBody) as caught:
        SmsBody().parse(body, NOW)
    return [(each.pointer, each.message) for each in caught.value.problems]


def test_a_callback_url_is_taken() -> None:
    url = "https://shop.example.com/sms"
    assert SmsBody().parse({**SMS, "callback_url": url}, NOW).submissions[0].callback_url == url


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        ("", ""),
        (5, "5"),
        (["https://a.example"], '["https://a.example"]'),
        ("shop.example.com", "shop.example.com"),
        ("http://127.0.0.1/", "http://127.0.0.1/"),
    ],
)
def test_a_wrong_callback_url_is_told_with_the_rule(value: Any, shown: str) -> None:
    said = problems({**SMS, "callback_url": value})
    assert said == [("/callback_url", f"'callback_url' field '{shown}' is invalid: '{RULE}'")]


def test_a_callback_url_has_at_most_2048_characters() -> None:
    url = "https://a.example/".ljust(2048, "x")
    assert SmsBody().parse({**SMS, "callback_url": url}, NOW).submissions[0].callback_url == url
    assert [pointer for pointer, _ in problems({**SMS, "callback_url": url + "x"})] == ["/callback_url"]


def test_in_an_array_it_is_named_by_its_index() -> None:
    said = problems([SMS, {**SMS, "callback_url": "http://10.0.0.1/"}])
    assert [pointer for pointer, _ in said] == ["/1/callback_url"]


def test_an_inward_address_is_taken_where_the_operator_allows_it() -> None:
    body = SmsBody(allow_private=True)
    order = body.parse([{**SMS, "callback_url": "http://10.0.0.1/"}], NOW)
    assert order.submissions[0].callback_url == "http://10.0.0.1/"
    with pytest.raises(InvalidBody):
        body.parse({**SMS, "callback_url": "10.0.0.1"}, NOW)


def test_a_category_that_is_unknown_is_told_with_the_known_ones() -> None:
    rule = "Must be one of transactional, marketing, authentication, service"
    assert problems({**SMS, "category": "spam"}) == [("/category", f"'category' field 'spam' is invalid: '{rule}'")]
    assert problems({**SMS, "category": None}) == [("/category", f"'category' field 'null' is invalid: '{rule}'")]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SmsBody().schema)


BODY = SmsBody()
#: Values of which some are equal, but not the same to the schema.
ODD = st.sampled_from([1, 1.0, True, 0, False, "1", None, 60, 60.0])
ELEMENTS = st.fixed_dictionaries(
    {"originator": st.sampled_from(["MB", "MB2", ""])},
    optional={
        "recipient": st.sampled_from(
            [31612345678, "+31612345678", "31612345679", 31612345678.0, True, None, "nobody", 5]
        ),
        "recipients": st.sampled_from([[31612345678], []]),
        "validity": ODD,
        "reference": st.sampled_from(["a", "b", 1]),
        "priority": st.sampled_from(["high", "normal"]),
        "message": st.sampled_from(["Hi", "Ho", "", "Привет", "x" * 200, "x" * 1378, "я" * 604, 5, None, ["Hi"]]),
        "datacoding": st.sampled_from(["auto", "plain", "unicode", "ascii"]),
    },
)


@given(st.lists(ELEMENTS, min_size=1, max_size=6))
@example([SMS | {"validity": 1}, SMS | {"validity": True}])
@example(
    [SMS, SMS | {"message": "Ho"}, SMS | {"message": "Привет", "recipient": "+31612345678"}, SMS | {"message": ""}]
)
def test_each_element_is_judged_as_if_it_were_alone(elements: list[dict[str, Any]]) -> None:
    alone: list[Submission] = []
    wrong: list[tuple[str, str]] = []
    for index, element in enumerate(elements):
        taken, refused = judged([element])
        alone += taken
        wrong += [(pointer.replace("/0", f"/{index}", 1), message) for pointer, message in refused]
    assert judged(elements) == (([], wrong) if wrong else (alone, []))


def judged(elements: list[dict[str, Any]]) -> tuple[list[Submission], list[tuple[str, str]]]:
    """Each SMS that ``elements`` become, or what is wrong with them."""
    try:
        submissions = BODY.parse(elements, NOW).submissions
    except InvalidBody as invalid:
        return [], [(problem.pointer, problem.message) for problem in invalid.problems]
    return [each for submission in submissions for each in flat(submission)], []


def flat(submission: Submission) -> list[Submission]:
    """Each SMS of ``submission`` by itself."""
    first = attrs.evolve(submission, others=())
    return [
        first,
        *[
            attrs.evolve(
                first,
                recipients=each.recipients,
                body=each.body,
                segmentation=each.segmentation,
                reference=each.reference,
            )
            for each in submission.others
        ],
    ]


def test_elements_that_differ_in_recipient_text_and_reference_are_read_as_one() -> None:
    elements = [
        {**SMS, "recipient": 31633450007 + each, "message": f"Order {each}", "reference": str(each), "validity": 60}
        for each in range(5)
    ]
    [submission] = BODY.parse(elements, NOW).submissions
    assert [(each.body, each.reference) for each in flat(submission)] == [
        (element["message"], element["reference"]) for element in elements
    ]
