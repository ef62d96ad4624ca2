"""Reads what became of each recipient from a message as MessageBird shows it."""

from collections.abc import Mapping
from typing import Any

from smsd.core.message import Message
from smsd.core.moment import moment
from smsd.core.report import BadReport, Report
from smsd.gateway.webhook import status_report


def reports_of(decoded: object, message: Message, now: float) -> tuple[Report, ...] | None:
    """The reports in the decoded JSON (anything at all) of ``message`` as it is shown at ``now``; None if it is not.

    A recipient without a status that can be read is left out: the others must not suffer.
    """
    fields = decoded if isinstance(decoded, Mapping) else {}
    recipients = fields.get("recipients")
    items = recipients.get("items") if isinstance(recipients, Mapping) else None
    if not isinstance(items, list) or fields.get("reference", message.id) != message.id:
        return None
    shown = {"id": message.provider_id, "reference": message.id}
    reports = (_report({**item, **shown}, now) for item in items if isinstance(item, Mapping))
    return tuple(report for report in reports if report is not None)


def _report(params: Mapping[str, Any], now: float) -> Report | None:
    # A date that is missing or cannot be read must not cost us the status, which holds as of now.
    for readable in (params, {**params, "statusDatetime": moment(now)}):
        try:
            return status_report(readable)
        except BadReport:
            continue
    return None
