"""Whatever happens, in whatever order, no message is lost, none goes twice, and every engine agrees with the model."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from smsd.core.address import Msisdn
from smsd.core.callback import Delivered, Failed, settle_callback
from smsd.core.errors import UnknownMessage
from smsd.core.lifecycle import State
from smsd.core.query import Query
from smsd.core.report import DeliveryStatus, Report
from tests.model.clients import ANY, FATES, FIELDS, KEYS, OURS_S, Clients
from tests.model.engines import InMemory, OnDisk
from tests.model.process import POLICY
from tests.model.provider import Fate


class AnyOrder(Clients):
    """And what operators, receivers, the provider and fate may do."""

    @rule(seconds=st.sampled_from([0.003, 0.1, 0.5, 2.0, 10.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(fates=FATES, back_s=st.sampled_from([0.02, 0.7]))
    def the_provider_has_a_mood(self, fates: list[Fate], back_s: float) -> None:
        self.world.provider.fates.extend(fates)
        self.world.provider.back_s = back_s

    @rule(count=st.integers(1, 5))
    def lookups_fail(self, count: int) -> None:
        self.world.provider.silent_lookups = count

    @rule(where=ANY, who=ANY, status=st.sampled_from(DeliveryStatus), ago_s=st.sampled_from([0, 30]))
    def a_report_comes(self, where: int, who: int, status: DeliveryStatus, ago_s: int) -> None:
        stored = list(self.world.provider.recipients.items())
        if not stored:
            return
        id, recipients = stored[-1 - where % len(stored)]
        self._report(id, recipients[who % len(recipients)], status, ago_s)

    @rule(where=ANY, status=st.sampled_from(DeliveryStatus))
    def every_recipient_is_reported(self, where: int, status: DeliveryStatus) -> None:
        stored = list(self.world.provider.recipients.items())
        if stored:
            id, recipients = stored[-1 - where % len(stored)]
            for recipient in recipients:
                self._report(id, recipient, status, 0)

    @precondition(lambda self: not self.world.book.messages)
    @rule()
    def a_report_on_nothing_of_ours_comes(self) -> None:
        report = Report(reference="unknown", recipient=Msisdn("31600000000"), status=DeliveryStatus.SENT, at=0.0)
        assert isinstance(self.world.outcome(self.world.process.reports.take(report)), UnknownMessage)

    @rule()
    def crash(self) -> None:
        self.world.crash()

    @rule(fields=FIELDS, after_s=st.sampled_from([0.0, 0.001, 0.003, 0.005]))
    def crash_while_posting(self, fields: dict[str, Any], after_s: float) -> None:
        done = self.world.begun(self._accept([self._submission(fields)], "ann"))
        self.world.pass_time(after_s)
        self.world.crash()
        if done and self.world.store.is_durable and self._is_taken(done[0]):
            assert done[0].ids[0] in self.world.book.messages

    @rule(older_s=st.sampled_from([0.0, 2.0]))
    def hold(self, older_s: float) -> None:
        process = self.world.process
        self.world.outcome(process.seam.hold(self.world.now() - older_s, 2000))
        self.world.outcome(process.feeder.give_back())

    @rule(since_s=st.sampled_from([5.0, 1e9]))
    def send_held(self, since_s: float) -> None:
        self.world.outcome(self.world.process.operations.send_held(self.world.now() - since_s))

    @rule()
    def expire_held(self) -> None:
        held = sum(1 for each in self.world.book.messages.values() if each.is_held)
        assert self.world.outcome(self.world.process.operations.expire_held()) == held

    @rule(older_s=st.sampled_from([1.0, 30.0]))
    def forget(self, older_s: float) -> None:
        self.world.outcome(self.world.process.seam.forget(self.world.now() - older_s, 2000))

    @rule(limit=st.integers(1, 20), per_host=st.integers(1, 8), works=st.booleans(), is_left=st.booleans())
    def callbacks_are_posted(self, limit: int, per_host: int, works: bool, is_left: bool) -> None:
        self._post_callbacks(limit, per_host, works, is_left)

    @rule(state=st.none() | st.sampled_from(State), api_key=st.none() | st.sampled_from(KEYS), limit=st.integers(1, 9))
    def look(self, state: State | None, api_key: str | None, limit: int) -> None:
        query = Query(state=state, api_key=api_key, limit=limit)
        messages = reversed(self.world.book.messages.values())
        expected = [each for each in messages if state in (None, each.state) and api_key in (None, each.api_key)]
        page = self.world.read(self.world.store.engine.search(query))
        assert list(page.messages) == expected[:limit]
        assert (page.before is None) == (len(expected) <= limit)

    @invariant()
    def all_agree(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        try:
            self.world.finish()
            self.world.pass_time(OURS_S)  # whatever was taken and not settled is due again
            while self.world.book.duties.open:
                before = len(self.world.book.duties.open)
                self._post_callbacks(100, 100, works=True, is_left=False)
                assert len(self.world.book.duties.open) < before
        finally:
            self.world.close()

    def _report(self, id: str, recipient: Msisdn, status: DeliveryStatus, ago_s: int) -> None:
        report = Report(
            reference=id, recipient=recipient, status=status, at=self.world.now() - ago_s, provider_id=f"p{id}"
        )
        outcome = self.world.settled(self.world.begun(self.world.process.reports.take(report)), within_s=15.0)
        message = self.world.book.messages.get(id)
        assert isinstance(outcome, UnknownMessage) == (message is None)
        if message is not None and message.body and outcome is None:
            (delivery,) = [each for each in message.deliveries if each.recipient == recipient]
            assert delivery.status is status or delivery.status.is_final or delivery.at >= report.at

    def _post_callbacks(self, limit: int, per_host: int, works: bool, is_left: bool) -> None:
        now, seam = self.world.now(), self.world.process.seam
        taken = self.world.outcome(seam.take_callbacks(now, now + OURS_S, limit, per_host, frozenset()))
        answer = Delivered() if works else Failed(reason="500")
        for callback in taken[: 1 if is_left else None]:
            after = settle_callback(callback, answer, now, POLICY.backoff, 0.5)
            self.world.outcome(seam.settle_callback(callback, after))


class OverMemory(AnyOrder):
    store = InMemory


class OverSqlite(AnyOrder):
    store = OnDisk


def run(examples: int) -> settings:
    """So many runs: a few seconds on one core for either engine."""
    return settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


TestOverMemory = OverMemory.TestCase
TestOverMemory.settings = run(100)
TestOverSqlite = OverSqlite.TestCase
TestOverSqlite.settings = run(50)
