"""A look-alike of Kinesis for tests: kinesalite, from npm."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VERSION: Final = "3.3.3"
#: Binds to the loopback address only, which its own command line cannot be told; and lives on when a client dies.
_SERVE: Final = """
process.on('uncaughtException', error => { if (error.code != 'ECONNRESET') throw error })
require('kinesalite')({createStreamMs: 0, shardLimit: 1000}).listen(+process.argv[1], '127.0.0.1')"""


def package() -> Path:
    """The folder that it is installed in, once."""
    cache = Path(os.environ.get("SMSD_TEST_CACHE", Path.home() / ".cache/smsd-test"))
    folder = cache / f"kinesalite-{VERSION}"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--prefix", ".", f"kinesalite@{VERSION}"], cwd=folder, check=True)
        (folder / "complete").touch()
    return folder


@contextmanager
def server() -> Iterator[str]:
    """The URL of one of its own, which forgets all at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(["node", "-e", _SERVE, str(port)], cwd=package())
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def settings(url: str) -> dict[str, str]:
    """The environment in which AWS's clients find the server at ``url``."""
    key = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    return {**key, "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL": url}
