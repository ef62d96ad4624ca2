"""Makes the daemon for ``twistd``, from the command line, the environment and ``smsd.toml``."""

import os
import random
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, cast

from twisted.application.service import Application, IService, Service
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.logger import ILogObserver
from twisted.python import usage
from twisted.python.logfile import LogFile

from smsd.collecting import collect_rarely
from smsd.core.errors import SmsdError
from smsd.reporting.log import observer
from smsd.service import Daemon
from smsd.settings import SETTINGS, Settings, SettingsError, load
from smsd.settings.schema import twistd_options
from smsd.settings.sources import find_toml
from smsd.settings.types import LogFormat
from smsd.wiring.notify import notify


class Options(usage.Options):
    """The options of ``twistd smsd``."""

    synopsis = "[options]"
    longdesc = "Accepts SMS over HTTP, keeps them on disk and sends them at the agreed rate."
    optParameters = [
        ["config", "c", None, "A settings file. [default: smsd.toml in this folder, if it exists]"],
        *(option.parameter for option in twistd_options(SETTINGS)),
    ]

    def postOptions(self) -> None:
        """Read all settings, or leave with a sentence that says what is wrong with them."""
        self["settings"] = _settings(dict(self))


class Runner(Service):
    """Runs the daemon on the global reactor: refuses in one line, and stops with exit code 0 when told to."""

    def __init__(self, settings: Settings, observer: Any) -> None:
        """``observer`` writes the log, unless twistd was told to use another; None leaves the log to twistd."""
        self._observer = observer
        # The reactor goes by the wall clock, which steps: timers would burst or stall with it.
        self._reactor = cast(Any, reactor)
        self._reactor.seconds = time.monotonic
        self._daemon = Daemon(settings, reactor=self._reactor, now=time.time, draw=random.random)

    def setServiceParent(self, parent: Any) -> None:
        """Join the application and bring the log observer along, the one way to it from a plugin."""
        super().setServiceParent(parent)
        if self._observer is not None:
            parent.setComponent(ILogObserver, self._observer)

    def startService(self) -> None:
        """Start, or leave with a sentence that says why not."""
        super().startService()
        try:
            self._daemon.startService()
        except (SmsdError, CannotListenError) as error:
            raise SystemExit(f"smsd cannot start: {error}") from error
        # Twisted's own handlers would end the process by the signal again, as if it had failed.
        self._reactor.callWhenRunning(self._handle_signals)
        self._reactor.callWhenRunning(collect_rarely)
        self._reactor.callWhenRunning(notify, os.environ, "READY=1")

    def stopService(self) -> Any:
        """Stop cleanly."""
        super().stopService()
        notify(os.environ, "STOPPING=1")
        return self._daemon.stopService()

    def _handle_signals(self) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self._stop)
        # Without TLS it stays what it is: the end of a daemon whose terminal is closed.
        if (certificate := self._daemon.certificate) is not None:
            signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(certificate.reload))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)  # once is enough; SIGKILL is there for the impatient
        self._reactor.callFromThread(self._reactor.stop)


def makeService(options: Options) -> IService:
    """The daemon as ``twistd smsd`` runs it."""
    settings: Settings = options["settings"]
    twistd = cast(usage.Options, options.parent)
    path = twistd["logfile"] or ("-" if twistd["nodaemon"] else "twistd.log")
    return Runner(settings, _observer(settings, path))


def make_application() -> Any:
    """The daemon as ``twistd -y smsd.tac`` runs it, set by the environment and ``smsd.toml``, logged by twistd."""
    application: Any = Application("smsd")
    Runner(_settings({"config": None}), None).setServiceParent(application)
    return application


def _settings(given: dict[str, str | None]) -> Settings:
    options = {name: value for name, value in given.items() if name != "config"}
    try:
        return load(os.environ, options, find_toml(given["config"], Path.cwd()))
    except SettingsError as error:
        raise SystemExit(f"smsd cannot start: {error}") from error


def _observer(settings: Settings, path: str) -> Any:
    stream = sys.stdout if path == "-" else LogFile.fromFullPath(path)
    at_terminal = path == "-" and sys.stdout.isatty()
    as_json = {LogFormat.TEXT: False, LogFormat.JSON: True, LogFormat.AUTO: not at_terminal}
    return observer(stream, as_json[settings.log_format])
