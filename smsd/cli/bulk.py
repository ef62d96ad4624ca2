"""Shows what a campaign comes to, asks, and sends it with a progress bar."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import click

from smsd.cli.campaign import BadCampaign, Campaign, Form
from smsd.cli.clock import now
from smsd.cli.connection import Connection, TryLater
from smsd.cli.figures import Figures
from smsd.cli.journal import BadJournal, Journal
from smsd.cli.output import Failed, counted, is_json, say, write_json
from smsd.cli.posting import check_doubt, post, resumed
from smsd.cli.progress import progress
from smsd.core.moment import moment

#: Bad lines that a person is shown.
SHOWN: Final = 20


@attrs.frozen(kw_only=True)
class Bulk:
    """How a file is to be sent."""

    form: Mapping[str, str]  #: by field, the heading of its column
    delimiter: str
    chunk: int  #: messages a request
    skip_bad: bool
    again: bool
    in_doubt: str | None  #: what to do with a chunk that nobody can tell of: again, skip, or ask
    journal: Path
    dry_run: bool
    yes: bool

    @classmethod
    def of(cls, path: Path, *, columns: tuple[str, ...], journal: Path | None, **options: Any) -> "Bulk":
        """What the options of ``send`` say. Raises UsageError."""
        pairs = [each.partition("=") for each in columns]
        if not all(equals for _, equals, _ in pairs):
            raise click.UsageError("--column is FIELD=COLUMN, such as recipient=phone.")
        form = {field: heading for field, _, heading in pairs}
        return cls(form=form, journal=journal or path.with_name(path.name + ".smsctl"), **options)


def send_file(connection: Connection, path: Path, fixed: Mapping[str, str], bulk: Bulk) -> None:
    """Send the campaign in the file at ``path``, whose lines all have the fields ``fixed``."""
    with _told():
        form = Form(columns=bulk.form, fixed=fixed, delimiter=bulk.delimiter)
        campaign = Campaign.read(path, form, now())
        skipped = tuple(line.number for line in campaign.bad)
        fresh = Journal(mark=campaign.mark, url=connection.url, chunk=bulk.chunk, skipped=skipped)
        if bulk.dry_run:
            _show(connection, campaign, left=len(campaign.good))
            if campaign.bad:
                raise click.exceptions.Exit(1)
            return
        journal = resumed(bulk.journal, fresh, again=bulk.again)
        if bulk.in_doubt is None:
            check_doubt(journal)
        elif bulk.in_doubt == "skip" and journal.asked_at is not None:
            journal = attrs.evolve(journal, taken=journal.taken + 1, asked_at=None)
        _send(connection, campaign, journal, bulk)


def _send(connection: Connection, campaign: Campaign, journal: Journal, bulk: Bulk) -> None:
    # What was bad when it began stays out, and what was good then stays in: the chunks must be the same.
    bodies = [line.body for line in campaign.lines if line.number not in journal.skipped]
    begun = min(journal.taken * journal.chunk, len(bodies))
    if not is_json() or not bulk.yes:
        _show(connection, campaign, left=len(bodies) - begun)
    if journal.skipped and not bulk.skip_bad:
        raise Failed("There are bad lines: mend them, or say --skip-bad.")
    if not bodies:
        raise Failed("There is nothing to send.")
    if not bulk.yes:
        click.confirm(f"Send {len(bodies) - begun} SMS?", abort=True, err=True)
    with progress(len(bodies), begun) as told:
        try:
            post(connection, bodies, journal, bulk.journal, progress=told)
        except TryLater as trouble:
            raise TryLater(f"{trouble.message}. The same command goes on from here.") from trouble
    facts = {"message": "The campaign is taken", "status": "ok", "taken": len(bodies), "skipped": len(journal.skipped)}
    if is_json():
        write_json(facts)
    else:
        say(f"All {len(bodies)} SMS are taken.")


def _show(connection: Connection, campaign: Campaign, *, left: int) -> None:
    facts = {
        "count": len(campaign.good),
        "left": left,
        "segments": campaign.segments,
        "repeated": campaign.repeated,
        "bad": [{"line": line.number, "problems": list(line.problems)} for line in campaign.bad],
        "eta": _eta(connection, left),
    }
    if is_json():
        write_json(facts)
        return
    for line in campaign.bad[:SHOWN]:
        say(f"line {line.number}: {'; '.join(line.problems)}")
    if (more := len(campaign.bad) - SHOWN) > 0:
        say(f"… and {counted(more, 'more bad line')}")
    segments, bad = counted(campaign.segments, "segment"), counted(len(campaign.bad), "bad line")
    say(f"{facts['count']} SMS of {segments} in all, {bad}.")
    if campaign.repeated:
        say(f"In more than one line, and so for more than one SMS: {counted(campaign.repeated, 'recipient')}.")
    say(f"{left} are to be sent; the last should leave at about {facts['eta'] or 'a time that smsd does not tell'}.")


def _eta(connection: Connection, count: int) -> str | None:
    """When the last of ``count`` more messages should leave; None when nobody can tell."""
    try:
        figures = Figures.read(connection.metrics())
    except (ValueError, TryLater):
        return None
    return moment(now() + figures.eta_s + count / figures.pace_allowed)


@contextmanager
def _told() -> Iterator[None]:
    """Show what is wrong with a file as an error of the command's."""
    try:
        yield
    except BadJournal as error:
        raise Failed(str(error)) from error
    except (BadCampaign, OSError) as error:
        raise click.UsageError(str(error)) from error
