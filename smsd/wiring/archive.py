"""Makes the archive of dead letters that the settings name."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from smsd.archive.kafka import KafkaArchive
from smsd.ports import IArchive
from smsd.settings import Settings
from smsd.settings.types import DirectoryArchiveUrl, KafkaUrl, S3ArchiveUrl
from smsd.wiring.extras import extra, librdkafka

#: Seconds that a broker is waited for.
PATIENCE_S: Final = 3.0


class Archive:
    """The archive that the settings name, with threads of its own."""

    def __init__(self, *, settings: Settings, reactor: Any) -> None:
        self._pool = ThreadPool(0, 2, name="smsd-archive")
        self.archive = archive_for(settings, lambda *call: deferToThreadPool(reactor, self._pool, *call))

    def start(self) -> None:
        """Make the threads ready."""
        self._pool.start()

    def stop(self) -> None:
        """End the threads; what they do has a time limit."""
        self._pool.stop()


def archive_for(settings: Settings, defer: Callable[..., Deferred[Any]]) -> IArchive | None:
    """The archive that ``settings`` name; ``defer`` calls a function in a thread. Raises SettingsError."""
    match settings.archive:
        case DirectoryArchiveUrl(path=path):
            made: IArchive = import_module("smsd.archive.directory").DirectoryArchive(path, defer=defer)
            return made
        case S3ArchiveUrl(bucket=bucket, prefix=prefix):
            module = extra("smsd.archive.s3", "s3", "SMSD_ARCHIVE=s3://…")
            s3: IArchive = module.S3Archive(bucket, prefix, defer=defer, encryption=settings.archive_encryption)
            return s3
        case KafkaUrl(brokers=brokers, topic=topic):
            keyed = extra("smsd.spool.kafka.keyed", "kafka", "SMSD_ARCHIVE=kafka://…").KeyedTopic
            told = {"settings": librdkafka(settings), "patience_s": PATIENCE_S}
            records: IArchive = KafkaArchive(keyed(brokers, topic, **told), defer=defer)
            return records
        case None:
            return None
