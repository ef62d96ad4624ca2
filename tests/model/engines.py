"""The engines as a crash finds them."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from smsd.ports import IEngine
from smsd.spool.memory import MemorySpool
from smsd.spool.sqlite import SqliteSpool
from tests.model.threads import ThreadCalls

#: Seconds in line after which a message rises: never, here.
AGEING_S = 1e9


class InMemory:
    """Everything is forgotten with the process."""

    is_durable = False

    def __init__(self) -> None:
        self.threads = ThreadCalls()
        self.engine: IEngine = self._opened()

    def crash(self) -> None:
        self.engine = self._opened()

    def close(self) -> None:
        self.threads.result(self.engine.close())

    def _opened(self) -> IEngine:
        engine = MemorySpool(limit=1000, ageing_s=AGEING_S)
        engine.open()
        return engine


class OnDisk:
    """What is committed is on disk: after a crash, the files as they were at that moment are opened again."""

    is_durable = True

    def __init__(self) -> None:
        self.threads = ThreadCalls()
        self._folder = TemporaryDirectory()
        self._lives = 0
        self.engine: IEngine = self._opened()

    def crash(self) -> None:
        left = self._file
        self._lives += 1
        # Before it is closed, which writes: so the write-ahead log is what the next process has to read.
        for end in ("", "-wal"):
            shutil.copyfile(f"{left}{end}", f"{self._file}{end}")
        self.threads.result(self.engine.close())
        self.engine = self._opened()

    def close(self) -> None:
        self.threads.result(self.engine.close())
        self._folder.cleanup()

    @property
    def _file(self) -> Path:
        return Path(self._folder.name, f"{self._lives}.db")

    def _opened(self) -> IEngine:
        engine = SqliteSpool(str(self._file), reactor=self.threads, ageing_s=AGEING_S)
        engine.open()
        return engine
