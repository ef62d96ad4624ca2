"""Reads the few metrics that a person asks for."""

from collections import Counter

import attrs
from prometheus_client.parser import text_string_to_metric_families


@attrs.frozen(kw_only=True)
class Figures:
    """How much there is, and how fast it goes."""

    depth: dict[str, int]  #: messages by their state, the states that have any
    oldest_s: float  #: age of the oldest message that is due
    eta_s: float  #: until the last that waits should leave
    pace_used: float  #: requests a second, over the last minute
    pace_allowed: float  #: requests a second, as agreed
    held: tuple[str, ...]  #: gateways that take nothing from us

    @classmethod
    def read(cls, text: str) -> "Figures":
        """The figures in what ``GET /metrics`` answers. Raises ValueError when they are not there."""
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        plain = {sample.name: sample.value for sample in samples if not sample.labels}
        depth: Counter[str] = Counter()
        for sample in samples:
            if sample.name == "smsd_depth" and sample.value:
                depth[sample.labels["state"]] += int(sample.value)
        try:
            return cls(
                depth=dict(depth),
                oldest_s=plain["smsd_oldest_seconds"],
                eta_s=plain["smsd_eta_seconds"],
                pace_used=plain["smsd_pace_used"],
                pace_allowed=plain["smsd_pace_allowed"],
                held=tuple(each.labels["gateway"] for each in samples if each.name == "smsd_held" and each.value),
            )
        except KeyError as missing:
            raise ValueError(f"there is no {missing.args[0]}") from None
