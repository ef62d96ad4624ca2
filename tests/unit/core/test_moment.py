from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from smsd.core.moment import moment


@given(st.floats(0, 4e9))
@example(0.0)
@example(1_795_564_799.9999998)  # the last of a day
@example(1_795_564_800.0)
@example(951_782_400.0)  # 29 February 2000
def test_a_moment_is_written_to_the_millisecond_never_later_than_it_is(at: float) -> None:
    exactly = datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert moment(at) == f"{exactly}.{int(at % 1 * 1000):03}Z"
