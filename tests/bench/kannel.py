"""Runs Kannel as Debian packages it, with its fake SMSC, for as long as it is measured."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench.servers import Server, await_answer, await_port, await_text, ended
from tests.integration.daemon import free_port

#: What it can keep accepted messages in, as its settings say it; the first is memory alone. None flushes to the disk.
STORES: Final = {
    "in memory": "",
    "store file": "store-type = file\nstore-location = {folder}/store",
    "spool": "store-type = spool\nstore-location = {folder}/spool",
}
_SETTINGS: Final = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = bench
smsbox-port = {inner}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
log-level = 4
{store}

group = smsc
smsc = fake
smsc-id = fake
port = {smsc}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {http}
sendsms-interface = 127.0.0.1
log-level = 4

group = sendsms-user
username = bench
password = bench
"""
#: What is at the other end of the fake SMSC, as soon as that listens: it reads, and says nothing.
_SINK: Final = """
import socket, sys, time
while True:
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as smsc:
            while smsc.recv(65536):
                pass
    except ConnectionError:
        time.sleep(0.1)
"""
#: Write only panics to the terminal.
_QUIET: Final = ("-v", "4")
#: Where a client sends an SMS.
SEND: Final = "/cgi-bin/sendsms?username=bench&password=bench&from=MB&to=31633450007&text=This+is+a+test+message."


def is_there() -> bool:
    """Whether it is installed."""
    return shutil.which("bearerbox") is not None and shutil.which("smsbox") is not None


@contextmanager
def kannel(folder: Path, store: str) -> Iterator[Server]:
    """Its two processes, over one of ``STORES``, with all it writes in ``folder``."""
    (folder / "spool").mkdir(parents=True)
    ports = {name: free_port() for name in ("admin", "inner", "smsc", "http")}
    settings = folder / "kannel.conf"
    settings.write_text(_SETTINGS.format(**ports, store=STORES[store].format(folder=folder)))
    admin, url = (f"http://127.0.0.1:{ports[name]}" for name in ("admin", "http"))
    with _run(folder, "bearerbox", *_QUIET, str(settings)) as bearerbox:
        await_port(ports["inner"], bearerbox)
        with (
            _run(folder, sys.executable, "-c", _SINK, str(ports["smsc"])),
            _run(folder, "smsbox", *_QUIET, str(settings)) as smsbox,
        ):
            # An smsbox that is asked before it has found its bearerbox breaks.
            await_text(admin, "/status.txt", "smsbox:", bearerbox)
            await_answer(url, SEND, {202}, smsbox)
            yield Server(url=url, pid=smsbox.pid, others=[bearerbox.pid])


@contextmanager
def _run(folder: Path, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / "output.log").open("ab") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    with ended(process):
        yield process
