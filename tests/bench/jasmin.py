"""Runs Jasmin with the RabbitMQ and the Redis it needs, for as long as it is measured."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench.servers import Server, await_answer, await_port, ended
from tests.integration.daemon import ROOT, free_port

#: Its own environment, since it wants older packages than ours (make bench-peers makes it).
BIN: Final = ROOT / ".venv-jasmin" / "bin"
RABBITMQ: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
#: Where a client sends an SMS.
SEND: Final = "/send?username=bench&password=bench&to=31633450007&from=MB&content=This+is+a+test+message."
_PORTS: Final = ("JCLI", "SMPP_SERVER", "SMPP_SERVER_PB", "ROUTER", "CLIENT_MANAGEMENT", "HTTP_API")
#: A user, and a connector that is not connected: what it accepts stays in its queue.
_SETUP: Final = (
    *("group -a", "gid bench", "ok"),
    *("user -a", "uid bench", "gid bench", "username bench", "password bench", "ok"),
    *("smppccm -a", "cid bench", "host 127.0.0.1", "port 9", "ok"),
    *("mtrouter -a", "type DefaultRoute", "connector smppc(bench)", "rate 0", "ok"),
)


def is_there() -> bool:
    """Whether it and what it needs are installed."""
    return (BIN / "jasmind.py").exists() and RABBITMQ.exists() and shutil.which("redis-server") is not None


@contextmanager
def jasmin(folder: Path) -> Iterator[Server]:
    """All its processes, with what they write in ``folder``."""
    for each in ("etc/jasmin/resource", "etc/jasmin/store", "var/log/jasmin", "var/run/jasmin"):
        (folder / each).mkdir(parents=True)
    specification = next(BIN.parent.glob("lib/*/site-packages/txamqp/specs/standard/amqp0-9-1.stripped.xml"))
    shutil.copy(specification, folder / "etc/jasmin/resource/amqp0-9-1.xml")
    with _redis(folder) as (redis, redis_port), _rabbitmq(folder) as (rabbitmq, broker_port):
        ports = {name: free_port() for name in _PORTS}
        settings = {f"{name}_PORT": str(port) for name, port in ports.items()}
        settings |= {f"{name}_BIND": "127.0.0.1" for name in _PORTS}
        settings |= {"ROOT_PATH": str(folder), "JCLI_AUTHENTICATION": "no"}
        settings |= {"AMQP_BROKER_PORT": str(broker_port), "REDIS_CLIENT_PORT": str(redis_port)}
        with _run(folder, settings, str(BIN / "python"), str(BIN / "jasmind.py")) as process:
            await_port(ports["JCLI"], process)
            _set_up(ports["JCLI"])
            url = f"http://127.0.0.1:{ports['HTTP_API']}"
            await_answer(url, SEND, {200}, process)
            yield Server(url=url, pid=process.pid, others=[redis.pid, rabbitmq.pid])


@contextmanager
def _redis(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    port = free_port()
    with _run(folder, {}, "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "") as process:
        await_port(port, process)
        yield process, port


@contextmanager
def _rabbitmq(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    home = folder / "rabbitmq"
    home.mkdir()
    names, port = free_port(), free_port()
    settings = {
        "HOME": str(home),
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "bench@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": str(home),
        "RABBITMQ_LOG_BASE": str(home),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
    }
    with _run(folder, settings, "epmd") as register:
        await_port(names, register)
        with _run(folder, settings, str(RABBITMQ)) as process:
            await_port(port, process)
            yield process, port


def _set_up(port: int) -> None:
    """Type ``_SETUP`` into its console."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as console:
        for line in ("", *_SETUP):
            console.sendall(line.encode() + b"\r\n")
            said = b""
            while not said.rstrip(b" ").endswith((b":", b">")):
                said += console.recv(4096)
            assert b"Error" not in said, said


@contextmanager
def _run(folder: Path, settings: Mapping[str, str], *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / "output.log").open("ab") as output:
        environment = {"PATH": os.environ["PATH"], **settings}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    with ended(process):
        yield process
