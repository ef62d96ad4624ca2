"""What clients may do, in any order."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from smsd.core.claim import Claimed
from smsd.core.errors import NotAllowed, SpoolFull, UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.moment import moment
from smsd.core.query import Query
from smsd.core.submission import Submission
from smsd.pipeline.intake import IdempotencyKey, Receipt
from tests.model.engines import InMemory, OnDisk
from tests.model.provider import Fate
from tests.model.world import World

KEYS = ["ann", "bob"]
HOOKS = ["https://one.example/hook", "https://two.example/hook"]
#: What somebody would like to replay, though only what is dead may be.
REPLAYED = (State.DEAD, State.UNCERTAIN, State.SENDING)
#: Seconds for which callbacks that were taken are nobody else's; longer than the longest backoff.
OURS_S = 5.0
#: Where in the list of what there is something is to happen.
ANY = st.integers(0, 500)
FATES = st.lists(st.sampled_from(Fate), min_size=1, max_size=4)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "priority": st.sampled_from(["high", "low"]),
        "send_in_s": st.sampled_from([1, 3, 20]),
        "validity": st.sampled_from([2, 15]),
        "callback_url": st.sampled_from(HOOKS),
    },
)


class Clients(RuleBasedStateMachine):
    """Posts, calls back and replays."""

    store: type[InMemory | OnDisk]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.store())

    @rule(
        each=st.lists(FIELDS, min_size=1, max_size=6),
        api_key=st.sampled_from(KEYS),
        fates=FATES,
        seconds=st.sampled_from([0.0, 0.3, 1.5, 4.0]),
    )
    def post(self, each: list[dict[str, Any]], api_key: str, fates: list[Fate], seconds: float) -> None:
        self.world.provider.fates.extend(fates)
        self._is_taken(self.world.outcome(self._accept([self._submission(fields) for fields in each], api_key)))
        self.world.pass_time(seconds)

    @rule(fields=FIELDS, count=st.integers(51, 130), api_key=st.sampled_from(KEYS))
    def post_to_many(self, fields: dict[str, Any], count: int, api_key: str) -> None:
        receipt = self.world.outcome(self._accept([self._submission(fields, count)], api_key))
        if self._is_taken(receipt):
            parts = self.world.outcome(self.world.process.operations.find(receipt.ids[0]))
            assert [each.id for each in parts] == [each.id for each in receipt.messages]
            assert sum(len(each.recipients) for each in parts) == count

    @rule(key=st.sampled_from("xy"), api_key=st.sampled_from(KEYS), body=st.sampled_from("pq"), times=st.integers(1, 3))
    def post_under_a_key(self, key: str, api_key: str, body: str, times: int) -> None:
        idempotency = IdempotencyKey(key=key, fingerprint=body, answer=lambda receipt: receipt.ids[0])
        begun = [self.world.begun(self._accept([self._submission({})], api_key, idempotency)) for _ in range(times)]
        outcomes = [self.world.settled(done) for done in begun]
        receipts = [each for each in outcomes if isinstance(each, Receipt)]
        assert len(receipts) <= 1
        for other in outcomes:
            assert isinstance(other, Receipt | Claimed | SpoolFull)
            if receipts and isinstance(other, Claimed):
                assert (other.answer, other.fingerprint) == (receipts[0].ids[0], body)

    @rule(where=ANY)
    def cancel(self, where: int) -> None:
        message = self._any(where)
        if message is None:
            return
        outcome = self.world.outcome(self.world.process.operations.cancel(message.id))
        state = self.world.book.messages[message.id].state
        if isinstance(outcome, NotAllowed):
            assert state is not State.QUEUED
        else:
            assert state is State.CANCELED

    @rule(where=ANY)
    def cancel_a_whole(self, where: int) -> None:
        message = self._any(where, lambda each: bool(each.batch))
        if message is None:
            return
        outcome = self.world.outcome(self.world.process.operations.cancel(message.batch))
        parts = [each for each in self.world.book.messages.values() if each.batch == message.batch]
        assert State.QUEUED not in {each.state for each in parts} or isinstance(outcome, UnknownMessage)

    @rule(where=ANY)
    def replay(self, where: int) -> None:
        message = self._any(where, lambda each: each.state in REPLAYED) or self._any(where)
        if message is not None:
            outcome = self.world.outcome(self.world.process.operations.replay(message.id))
            assert isinstance(outcome, NotAllowed) == (message.state is not State.DEAD)

    @rule()
    def replay_all(self) -> None:
        dead = [each for each in self.world.book.messages.values() if each.state is State.DEAD]
        assert self.world.outcome(self.world.process.operations.replay_all(Query())) == len(dead)

    def _submission(self, fields: dict[str, Any], count: int = 1) -> Submission:
        given = {"originator": "MB", "message": "Hello", **fields}
        if (in_s := given.pop("send_in_s", None)) is not None:
            given["send_at"] = moment(self.world.now() + in_s)
        given |= {"recipients": list(range(31600000000, 31600000000 + count))} if count > 1 else {"recipient": 31612345}
        return Submission.parse(given, self.world.now())

    def _accept(self, submissions: list[Submission], api_key: str, idempotency: IdempotencyKey | None = None) -> Any:
        return self.world.process.intake.accept(submissions, api_key, idempotency)

    def _is_taken(self, outcome: object) -> bool:
        assert isinstance(outcome, Receipt | SpoolFull)
        return isinstance(outcome, Receipt)

    def _any(self, where: int, wanted: Any = lambda each: True) -> Any:
        messages = [each for each in self.world.book.messages.values() if wanted(each)]
        return messages[-1 - where % len(messages)] if messages else None
