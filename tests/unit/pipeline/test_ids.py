"""Ids are ULIDs, as another implementation reads them."""

from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from smsd.pipeline.ids import Ids


@given(st.integers(0, 2**47), st.binary(min_size=16, max_size=16))
def test_time_and_chance_are_read_back(milliseconds: int, chance: bytes) -> None:
    id = Ids(lambda: milliseconds / 1000.0, lambda count: chance * (count // 16))()
    assert len(id) == 26
    read = ULID.from_str(id)
    assert abs(read.milliseconds - milliseconds) <= 1
    bits = "".join(f"{octet % 32:05b}" for octet in chance)  # five of each octet
    assert int.from_bytes(read.bytes[6:]) == int(bits, 2)


def test_no_two_are_the_same() -> None:
    new_id = Ids(lambda: 1.0)
    assert len({new_id() for _ in range(10_000)}) == 10_000
