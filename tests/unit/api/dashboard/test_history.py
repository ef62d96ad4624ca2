"""How what happened is counted and drawn."""

from twisted.internet.task import Clock

from smsd.api.dashboard.history import KEPT, History, Span
from smsd.api.dashboard.plot import Plot
from smsd.core.lifecycle import State
from smsd.core.message import What
from smsd.core.notice import Notice
from tests.messages import message


def tell(history: History, what: What, state: State = State.QUEUED, count: int = 1) -> None:
    history.report(Notice(what=what, at=0.0, message=message(state=state), count=count))


def test_accepted_sent_and_dead_are_counted_by_the_minute() -> None:
    clock = Clock()
    history = History(clock.seconds)
    tell(history, What.ACCEPTED, count=3)
    clock.advance(60)
    tell(history, What.SENT, State.SENT)
    tell(history, What.FOUND, State.SENT)
    tell(history, What.REFUSED, State.DEAD)
    tell(history, What.POSTPONED)
    tell(history, What.CALLBACK_FAILED, State.DEAD)
    assert history.spans(3) == [Span(), Span(accepted=3), Span(sent=2, dead=1)]
    assert history.spans(4, each=2) == [Span(), Span(accepted=3, sent=2, dead=1)]


def test_a_day_is_remembered_and_no_more() -> None:
    clock = Clock()
    history = History(clock.seconds)
    for _ in range(3):
        tell(history, What.ACCEPTED)
        clock.advance(60)
    clock.advance(60 * (KEPT - 2))
    tell(history, What.ACCEPTED)
    assert sum(history.spans(KEPT + 10), Span()) == Span(accepted=3)


def test_the_pace_is_what_went_out_over_the_last_minute() -> None:
    clock = Clock()
    history = History(clock.seconds)
    clock.advance(100)
    for _ in range(60):
        tell(history, What.ATTEMPT, State.SENDING)
        clock.advance(1)
    assert history.pace() == 1.0
    clock.advance(30)
    assert history.pace() == 0.5


def test_a_plot_is_as_high_as_the_next_round_number() -> None:
    plot = Plot.of([Span(accepted=0), Span(accepted=40, sent=20), Span(accepted=40, dead=5)], 3)
    assert plot.top == 50
    assert plot.accepted == "0.0,120.0 200.0,120.0 200.0,25.6 400.0,25.6 400.0,25.6 600.0,25.6"
    assert plot.dead == [(400.0, 11.8)]
    assert plot.total == Span(accepted=80, sent=20, dead=5)


def test_nothing_is_drawn_of_what_is_not_known() -> None:
    clock = Clock()
    clock.advance(90)
    history = History(clock.seconds)
    clock.advance(60)
    tell(history, What.ACCEPTED)
    assert history.known() == 2
    plot = Plot.of(history.spans(4), history.known())
    assert plot.unknown == 300.0
    assert plot.accepted == "300.0,120.0 450.0,120.0 450.0,2.0 600.0,2.0"
