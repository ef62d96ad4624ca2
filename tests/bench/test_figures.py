"""What the benchmarks write is read without them: it has to be right."""

from xml.etree import ElementTree

import pytest

from tests.bench import page
from tests.bench.dispatch import most_within
from tests.bench.figures import Figure, at_least, at_least_the_ratio, at_most, at_most_the_ratio, table
from tests.bench.plot import plot

TWICE = Figure(what="accepts", unit="/s", rounds=[900, 2000, 2100], against="bare <Klein>", beside=[1000, 900, 1100])
ALONE = Figure(what="size", unit="octets", rounds=[4.5])


def test_a_ratio_is_that_of_the_medians() -> None:
    assert TWICE.ratio == 2.0
    assert ALONE.ratio is None


@pytest.mark.parametrize(
    ("wished", "holds"),
    [
        (at_least_the_ratio(TWICE, 2.0), True),
        (at_least_the_ratio(TWICE, 2.1), False),
        (at_most_the_ratio(TWICE, 2.0), True),
        (at_most_the_ratio(TWICE, 1.9), False),
        (at_least(TWICE, 2000), True),
        (at_least(TWICE, 2001), False),
        (at_most(ALONE, 4.5), True),
        (at_most(ALONE, 4.4), False),
        (at_most_the_ratio(ALONE, 100), False),
    ],
)
def test_a_wish_is_held_to(wished: Figure, holds: bool) -> None:
    assert wished.holds is holds
    assert f"{'yes' if holds else '**no**'} |" in table([wished])


def test_the_table_shows_every_round() -> None:
    assert table([TWICE, ALONE]).splitlines()[2:] == [
        "| accepts | 2,000 /s | 900, 2,000, 2,100 | 1,000 (bare <Klein>) | 2.00 |  |",
        "| size | 4.5 octets | 4.5 |  |  |  |",
    ]


def test_the_plot_has_a_bar_and_a_dot_a_round_for_all_that_stand_beside_something() -> None:
    drawn = ElementTree.fromstring(plot("A & B", [TWICE, ALONE]))
    kinds = [each.get("class") for each in drawn.iter()]
    assert (kinds.count("bar"), kinds.count("dot")) == (1, 3)


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    text = "by hand\n<!-- bench -->\nold\n<!-- /bench -->\nby hand too\n<!-- peers -->\n<!-- /peers -->\n"
    assert page.replace(text, "bench", "new\n") == text.replace("old", "new")
    with pytest.raises(ValueError, match="<!-- other -->"):
        page.replace(text, "other", "new\n")


def test_the_most_in_a_second_are_counted_wherever_the_second_begins() -> None:
    assert most_within([], 1.0) == 0
    assert most_within([0.0, 0.6, 0.9, 1.5, 1.59, 1.6, 3.0], 1.0) == 4
    assert most_within([0.0, 1.0, 2.0], 1.0) == 1
