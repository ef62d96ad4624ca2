"""Makes the engine that the settings name."""

from collections.abc import Callable
from typing import Any, Final

from smsd.core.easing import Permits
from smsd.core.notice import Measure
from smsd.ports import IEngine
from smsd.settings import Settings
from smsd.settings.types import KafkaUrl, KinesisSpoolUrl, MemorySpoolUrl, PostgresSpoolUrl, SqliteSpoolUrl
from smsd.spool.memory import MemorySpool
from smsd.spool.sqlite import SqliteSpool
from smsd.spool.stream.shelf import Timing
from smsd.wiring.extras import extra, librdkafka
from smsd.wiring.reactor import IDaemonReactor

#: Seconds that what the last owner of a lane sent may be on its way, beyond one span of the rate.
ON_ITS_WAY_S: Final = 0.5


def engine_for(settings: Settings, reactor: IDaemonReactor, measure: Measure, now: Callable[[], float]) -> IEngine:
    """The engine that ``settings`` name, not yet opened. Raises SettingsError for what is not installed.

    ``now`` gives UTC epoch seconds.
    """
    told: dict[str, Any] = {"reactor": reactor, "ageing_s": settings.ageing, "measure": measure}
    match settings.spool:
        case MemorySpoolUrl():
            return MemorySpool(ageing_s=settings.ageing)
        case SqliteSpoolUrl(path=path):
            return SqliteSpool(str(path), **told)
        case PostgresSpoolUrl(url=url):
            module = extra("smsd.spool.postgresql.engine", "postgresql", "SMSD_SPOOL=postgresql://…")
            shared: IEngine = module.PostgresSpool(url.reveal(), **told, **_lease(settings))
            return shared
        case KafkaUrl(brokers=brokers, topic=topic):
            module = extra("smsd.spool.kafka.engine", "kafka", "SMSD_SPOOL=kafka://…")
            told |= {"settings": librdkafka(settings), **_stream(settings, now)}
            log: IEngine = module.kafka_spool(brokers, topic, **told)
            return log
        case KinesisSpoolUrl(stream=stream):
            module = extra("smsd.spool.kinesis.engine", "kinesis", "SMSD_SPOOL=kinesis://…")
            wanted = {"create": settings.kinesis_create, "trust": settings.kinesis_trust}
            shard: IEngine = module.kinesis_spool(stream, **wanted, **told, **_stream(settings, now))
            return shard


def _lease(settings: Settings) -> dict[str, float]:
    return {} if settings.lease is None else {"lease_s": settings.lease}


def _stream(settings: Settings, now: Callable[[], float]) -> dict[str, Any]:
    pause_s = Permits.of(settings.rate).span_s + ON_ITS_WAY_S
    snapshots = Timing(every_s=settings.snapshot * 3600, now=now)
    return {"ledger": settings.ledger, "pause_s": pause_s, "snapshots": snapshots, **_lease(settings)}
