"""A campaign is judged by the rules of the API before anything is sent."""

from pathlib import Path
from typing import Any

import pytest

from smsd.cli.campaign import BadCampaign, Campaign, Form

CSV = "recipient,name\n+31633450007,Ann\n31633450008,Bob\n"


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def make(text: str, fixed: dict[str, str] | None = None, **changed: Any) -> Campaign:
        path = tmp_path / "campaign.csv"
        path.write_text(text, encoding="utf-8")
        given = {"originator": "MB", "message": "Hi {name}!"} if fixed is None else fixed
        return Campaign.read(
            path, Form(columns=changed.pop("columns", {}), fixed=given, **changed), now=1_764_000_000.0
        )

    return make


def test_each_line_becomes_an_sms_with_its_cells_in_the_text(read: Any) -> None:
    campaign = read(CSV)
    assert [line.body for line in campaign.good] == [
        {"recipient": "+31633450007", "originator": "MB", "message": "Hi Ann!"},
        {"recipient": "31633450008", "originator": "MB", "message": "Hi Bob!"},
    ]
    assert (campaign.segments, campaign.bad) == (2, ())


def test_columns_are_mapped_and_others_left_alone(read: Any) -> None:
    text = "phone;text;note;secs\n31633450007;Good morning;x;60\n"
    columns = {"recipient": "phone", "message": "text", "validity": "secs"}
    campaign = read(text, {"originator": "MB"}, columns=columns, delimiter=";")
    body = {"originator": "MB", "recipient": "31633450007", "message": "Good morning", "validity": 60}
    assert [line.body for line in campaign.good] == [body]


def test_bad_lines_are_named_with_the_sentences_of_the_api(read: Any) -> None:
    campaign = read("recipient,name,validity\n12,Ann,\n31633450007,Bob,soon\n31633450007,Cy,5\n")
    assert [(line.number, line.problems) for line in campaign.bad] == [
        (2, ("'recipient' field '12' is invalid: 'Must be a valid MSISDN'",)),
        (3, ("'validity' field 'soon' is invalid: 'Must be a whole number of seconds from 1 to 604800, a week'",)),
    ]
    assert [line.number for line in campaign.good] == [4]


def test_a_line_with_too_few_or_too_many_cells_is_bad(read: Any) -> None:
    campaign = read("recipient,name\n31633450007\n31633450007,Ann,more\n")
    assert [line.number for line in campaign.bad] == [2, 3]


def test_segments_and_repeated_recipients_are_counted(read: Any) -> None:
    campaign = read(f"recipient,name\n31633450007,{'x' * 200}\n+31633450007,Bob\n")
    assert (campaign.segments, campaign.repeated) == (3, 1)


@pytest.mark.parametrize(
    ("fixed", "columns", "sentence"),
    [
        ({"message": "Hi {nmae}"}, {}, "There is no column 'nmae'; there are: recipient, name."),
        ({"message": "Hi"}, {"recipient": "phone"}, "There is no column 'phone'"),
        ({"message": "Hi"}, {"colour": "name"}, "An SMS has no 'colour'"),
    ],
    ids=["place", "column", "field"],
)
def test_what_is_not_there_is_refused_by_name(read: Any, fixed: Any, columns: Any, sentence: str) -> None:
    with pytest.raises(BadCampaign) as refused:
        read(CSV, fixed, columns=columns)
    assert sentence in str(refused.value)


def test_a_file_that_is_no_text_is_refused(read: Any, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(b"recipient\n\xff\xfe\n")
    with pytest.raises(BadCampaign):
        Campaign.read(path, Form(columns={}, fixed={}), now=0.0)


def test_the_mark_is_of_what_is_sent_and_not_of_how_it_is_written(read: Any) -> None:
    assert read(CSV).mark == read(CSV.replace("\n", "\r\n")).mark
    assert read(CSV).mark != read(CSV.replace("Bob", "Rob")).mark
