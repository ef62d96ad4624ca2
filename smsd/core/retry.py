"""Says how long to wait before the next attempt."""

import attrs

#: 2**60 seconds is beyond any cap; a larger exponent only overflows.
_MAX_EXPONENT = 60


@attrs.frozen(kw_only=True)
class Backoff:
    """Exponential backoff with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter")."""

    base_s: float  #: seconds, the widest wait after the first failure
    cap_s: float  #: seconds, no wait is longer

    def delay_s(self, failures: int, draw: float) -> float:
        """Seconds to wait after ``failures`` (1 or more) in a row; ``draw`` is uniform in [0, 1)."""
        ceiling = min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, _MAX_EXPONENT))
        return ceiling * draw
