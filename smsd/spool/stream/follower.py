"""Follows the log: writes commands into it, carries out what comes out of it, and has the lane or has it not."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from smsd.core.errors import SpoolRefused
from smsd.spool.postbox import Postbox
from smsd.spool.stream import command
from smsd.spool.stream.command import Command
from smsd.spool.stream.jobs import Follow
from smsd.spool.stream.journal import Journal
from smsd.spool.stream.log import Log, LogCut, Logged, LogLost, LogTrouble
from smsd.spool.stream.machine import Machine
from smsd.spool.stream.table import StreamTable
from smsd.spool.stream.tenure import Tenure

#: Seconds for which everything fails at once after the log was waited for in vain: what had to wait behind that
#: would else wait as long again, one after the other.
FAILING_S: Final = 0.25


class Follower(Machine):
    """One node's machine. What it is not told by the log has not happened."""

    def __init__(
        self,
        table: StreamTable,
        postbox: Postbox,
        journal: Journal,
        log: Log,
        *,
        author: str,
        tenure: Tenure,
        ageing_s: float,
        patience_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        """``author`` is another one for each run of each node; ``monotonic`` is called on the writer's thread."""
        super().__init__(table, postbox, journal, ageing_s)
        self._log = log
        self._author = author
        self._tenure = tenure
        self._patience_s = patience_s
        self._monotonic = monotonic
        self._number = 0
        self._written_at: dict[int, float] = {}
        self._answered: dict[int, list[Any]] = {}
        self._is_lost = True  # the log does not stand where the ledger does
        self._failing_until = -math.inf
        self._failure = ""

    def leave(self) -> None:
        """Let another node have the lane at once. Raises LogTrouble."""
        if self._tenure.is_sure:
            self._decide([(command.LEAVE_LANE,)])

    def begin_anew(self) -> None:
        """Take the ledger for what it is now, which is another one than before; what was leased is of that."""
        self.tally = self._own.count()
        self.leases.keep(lambda id: False)
        self._answered.clear()
        self._lane, self._is_lost = self._journal.lane, True
        self._tenure.look(self._lane)

    @property
    def is_sending(self) -> bool:
        """Whether we have the lane for sure; any thread may ask."""
        return self._tenure.is_sure

    def _has_lane(self) -> bool:
        if self._tenure.is_sure:
            return True
        if self._tenure.epoch:
            self._decide([])  # we were stopped, or cut off: is it ours still?
        elif self._tenure.may_claim():
            self.catch_up()
            if self._tenure.may_claim():
                self._decide([(command.CLAIM_LANE, self._lane.epoch + 1, self._lane.beat)])
        return self._tenure.is_sure

    def _decide(self, commands: Sequence[Command]) -> list[Any]:
        """Write ``commands`` into the log, and read on until they are carried out; the answers, one a command."""
        with self._trying():
            self._find_place()
            return self._decided(commands)

    def _decided(self, commands: Sequence[Command]) -> list[Any]:
        self._number += 1
        number, largest = self._number, self._log.largest
        self._written_at[number] = self._monotonic()
        epoch = self._tenure.epoch
        try:
            self._log.publish(
                command.entries(commands, author=self._author, number=number, epoch=epoch, largest=largest)
            )
            deadline = self._monotonic() + self._patience_s
            while number not in self._answered:
                self._absorb(self._log.read(max(0.0, deadline - self._monotonic())))
                if number not in self._answered and self._monotonic() > deadline:
                    raise LogTrouble(reason="what was written into the stream does not come out of it")
            return self._answered[number]
        finally:
            self._answered.clear()
            self._written_at.pop(number, None)

    def _follow(self, job: Follow) -> int:
        before = self._lane
        count = self.catch_up() if job.is_to_the_end else self._absorb(self._read_on())
        if self._tenure.is_old():
            self._decide([])
        return count if count else int(before != self._lane)

    def _read_on(self) -> Sequence[Logged]:
        with self._trying():
            self._find_place()
            return self._log.read(0.0)

    def catch_up(self) -> int:
        """Read all that is there now; the answer is how many entries that were.

        Raises SpoolUnavailable and sqlite3.Error.
        """
        with self._trying():
            self._find_place()
            return self._caught_up(self._log.end())  # once: others write on, and would always be ahead

    def _caught_up(self, end: float) -> int:
        count = 0
        deadline = self._monotonic() + self._patience_s
        while self._log.is_before(end):
            if arrived := self._absorb(self._log.read(self._patience_s)):
                deadline = self._monotonic() + self._patience_s
            elif self._monotonic() > deadline:
                raise LogTrouble(reason="the stream does not give what it has")
            count += arrived
        return count

    @contextmanager
    def _trying(self) -> Iterator[None]:
        if self._monotonic() < self._failing_until:
            raise LogTrouble(reason=self._failure)
        try:
            yield
        except LogTrouble as trouble:
            self._is_lost |= isinstance(trouble, LogLost)
            self._failing_until, self._failure = self._monotonic() + FAILING_S, trouble.reason
            raise

    def _find_place(self) -> None:
        if self._is_lost:
            try:
                self._log.start(self._journal.position)
            except LogCut as cut:
                raise LogLost(reason=cut.reason) from None
            except SpoolRefused as refused:
                raise LogTrouble(reason=refused.reason) from None
            self._is_lost = False

    def _absorb(self, arrived: Sequence[Logged]) -> int:
        """Carry ``arrived`` out, all in one transaction; the answer is how many there were."""
        if not arrived:
            return 0
        tally = self.tally
        try:
            with self._table.transaction():
                for logged in arrived:
                    self._hear(logged)
                self._journal.reached(arrived[-1].position, self._lane)
        except BaseException:
            self.tally, self._lane, self._is_lost = tally, self._journal.lane, True
            self._answered.clear()
            raise
        self._tell()
        return len(arrived)

    def _hear(self, logged: Logged) -> None:
        entry = command.read(logged.data)
        if entry is None:
            return  # not ours
        answers = self.carry_out(entry)
        if entry.author == self._author and answers is not None:
            self._answered[entry.number] = answers

    def _tell(self) -> None:
        epoch = self._tenure.epoch
        self._tenure.look(self._lane)
        if self._tenure.epoch != epoch:
            self.leases.keep(lambda id: False)  # all that was leased is of an earlier time
        if self._tenure.epoch:
            for number in self._answered:
                self._tenure.signed(self._written_at.get(number, 0.0))
