"""Who is signed in, and for how long."""

import pytest
from twisted.internet.task import Clock

from smsd.api.dashboard.session import MAX_SESSIONS, SESSION_S, Forged, Sessions, SignedOut
from smsd.core.key import Holder, Role

TESTER = Holder(name="tester", digest="d")


def test_a_session_ends_by_itself() -> None:
    clock = Clock()
    sessions = Sessions(lambda digest: TESTER, clock.seconds)
    cookie = sessions.begin(TESTER)
    clock.advance(SESSION_S - 1)
    assert sessions.of(cookie).holder == TESTER
    clock.advance(1)
    with pytest.raises(SignedOut):
        sessions.of(cookie)


def test_a_session_ends_with_its_key_and_follows_what_the_key_may_do() -> None:
    keys = {"d": TESTER}
    sessions = Sessions(keys.get, Clock().seconds)
    cookie = sessions.begin(TESTER)
    keys["d"] = Holder(name="tester", digest="d", roles=frozenset({Role.READ}))
    assert not sessions.of(cookie).holder.may(Role.OPERATE)
    del keys["d"]
    with pytest.raises(SignedOut):
        sessions.of(cookie)


def test_a_form_needs_the_token_of_its_own_session() -> None:
    sessions = Sessions(lambda digest: TESTER, Clock().seconds)
    mine, yours = (sessions.of(sessions.begin(TESTER)) for _ in range(2))
    mine.check(mine.csrf)
    for other in (yours.csrf, "", "é"):
        with pytest.raises(Forged):
            mine.check(other)


def test_sessions_do_not_fill_the_memory() -> None:
    sessions = Sessions(lambda digest: TESTER, Clock().seconds)
    first, *others = [sessions.begin(TESTER) for _ in range(MAX_SESSIONS + 1)]
    with pytest.raises(SignedOut):
        sessions.of(first)
    assert all(sessions.of(each) for each in others)
