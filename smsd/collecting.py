"""Has Python look for cycles rarely: what a request makes is gone with it, and a look holds everything up."""

import gc
from typing import Final

#: Objects made between two looks at the youngest, and how many such looks until one at the older ones.
OBJECTS: Final = (50_000, 20, 50)


def collect_rarely() -> None:
    """Look once at all there is, then never again at that: it is what the process needs to run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*OBJECTS)
