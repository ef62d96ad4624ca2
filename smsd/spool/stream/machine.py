"""Carries out what the log says, on every node alike, and so comes to the same ledger on each."""

import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from smsd.core.address import Msisdn
from smsd.core.report import Inbound
from smsd.spool.jobs import Append
from smsd.spool.postbox import Postbox
from smsd.spool.sqlitedesk import SqliteDesk
from smsd.spool.stream import command
from smsd.spool.stream.command import Command, Entry
from smsd.spool.stream.journal import Journal, Lane
from smsd.spool.stream.table import StreamTable


class Machine(SqliteDesk):
    """A desk that knows commands. What they come to depends on the ledger alone: no clock, no draw, no node."""

    def __init__(self, table: StreamTable, postbox: Postbox, journal: Journal, ageing_s: float) -> None:
        super().__init__(table, postbox, ageing_s)
        self._ledger = table
        self._journal = journal
        self._lane = journal.lane

    def carry_out(self, entry: Entry) -> list[Any] | None:
        """Do what ``entry`` completes, within a transaction; the answers, one a command.

        An exception among them is what that command is refused with. None if pieces are missing, or it counted before.
        """
        if (text := self._journal.whole(entry)) is None:
            return None
        if 0 < entry.epoch == self._lane.epoch and entry.author == self._lane.owner:
            self._lane = Lane(epoch=entry.epoch, owner=entry.author, beat=self._lane.beat + 1)
        try:
            commands = command.commands(text, entry.form)
        except (ValueError, TypeError, zlib.error):
            return []  # not ours
        return [answer for verb, run in command.runs(commands) for answer in self._run(verb, run, entry)]

    def _run(self, verb: str, run: list[Command], entry: Entry) -> Sequence[Any]:
        if verb == command.APPEND:
            return self._append_all([command.read_append(*words) for _, *words in run])
        does: dict[str, Callable[..., Any]] = {
            command.CHANGE: self._change,
            command.FORGET: self._forget,
            command.BEAT: self._write_beat,
            command.RECEIVE: self._receive,
            command.CALLBACK: self._settle_callback,
            command.SILENCE: self._silence,
            command.CLAIM_LANE: self._claim_lane,
            command.LEAVE_LANE: self._leave_lane,
        }
        if verb not in does:
            raise command.Newer(form=verb)
        return [self._safely(partial(does[verb], entry, *words)) for _, *words in run]

    def _safely(self, do: Callable[[], Any]) -> Any:
        # A command that cannot be carried out must not keep every node from those after it.
        try:
            with self._ledger.transaction():
                return do()
        except self.own_fault as fault:
            return ValueError(f"the spool cannot hold this: {fault}")

    def _append_all(self, jobs: Sequence[Append]) -> Sequence[Any]:
        try:
            with self._transaction() as draft:
                return self._append(jobs, draft)
        except self.own_fault as fault:
            if len(jobs) == 1:
                return [ValueError(f"the spool cannot hold this: {fault}")]
            half = len(jobs) // 2
            return [*self._append_all(jobs[:half]), *self._append_all(jobs[half:])]

    def _change(self, entry: Entry, id: str, was: str, mark: str, life: Sequence[Any]) -> bool:
        stored = self._table.find(id)
        if stored is None or stored.state.value != was:
            return False
        if not (self._sends(entry) if not mark else mark == command.fingerprint(stored, entry.form)):
            return False
        with self._transaction() as draft:
            step = (stored, command.changed(stored, life))
            self._replace([step], draft, is_in_line=self._table.is_in_line(id))
        return True

    def _sends(self, entry: Entry) -> bool:
        return entry.epoch == self._lane.epoch and entry.author == self._lane.owner

    def _forget(self, entry: Entry, ids: Sequence[str], before: float, limit: int) -> int:
        return self._ledger.blank(ids) + self._postbox.forget(before, limit)

    def _write_beat(self, entry: Entry, at: float) -> float | None:
        return self._table.beat(at)

    def _receive(self, entry: Entry, words: Sequence[Any], told: Sequence[Any] | None) -> bool:
        id, originator, recipient, body, received_at = words
        inbound = Inbound(id=id, originator=originator, recipient=Msisdn(recipient), body=body, received_at=received_at)
        return self._postbox.receive(inbound, None if told is None else command.read_callback(told))

    def _settle_callback(self, entry: Entry, words: Sequence[Any], after: Sequence[Any] | None) -> None:
        then = None if after is None else command.read_callback(after)
        self._postbox.settle(command.read_callback(words), then)

    def _silence(self, entry: Entry, id: str) -> None:
        self._ledger.silence(id)
        self._postbox.silence(id)

    def _claim_lane(self, entry: Entry, epoch: int, beat: int) -> bool:
        # Whoever has it has given no sign of life since the claimant last looked.
        if (epoch, beat) != (self._lane.epoch + 1, self._lane.beat):
            return False
        self._lane = Lane(epoch=epoch, owner=entry.author, beat=beat + 1)
        return True

    def _leave_lane(self, entry: Entry) -> bool:
        if not self._sends(entry):
            return False
        self._lane = Lane(epoch=self._lane.epoch, owner="", beat=self._lane.beat + 1)
        return True
