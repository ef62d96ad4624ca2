"""Runs the sandbox alone and prints each SMS to the terminal."""

import argparse
import sys
from typing import NoReturn, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.task import react
from twisted.web.server import Site

from smsd.sandbox.messagebird import MessageBirdSandbox
from smsd.sandbox.store import StoredMessage


def arguments(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m smsd.sandbox", description=__doc__)
    parser.add_argument(
        "--listen",
        default="tcp:5001:interface=127.0.0.1",
        metavar="ENDPOINT",
        help="Twisted server endpoint (default: %(default)s)",
    )
    parser.add_argument("--key", default="test_sandbox", help="access key (default: %(default)s)")
    return parser.parse_args(argv)


async def run(reactor: object, listen: str, key: str) -> None:
    """Serve until the reactor stops."""
    clock = cast(IReactorTime, reactor)
    sandbox = MessageBirdSandbox(clock=clock, now=clock.seconds, deliver=_print, access_key=key)
    port = await serverFromString(reactor, listen).listen(Site(sandbox.resource()))
    print(f"MessageBird sandbox at {_url(port.getHost())}, access key {key}", flush=True)
    await Deferred()


def _url(address: IAddress) -> str:
    if isinstance(address, IPv4Address | IPv6Address):
        return f"http://{address.host}:{address.port}"
    return str(address)


def _print(message: StoredMessage) -> None:
    print(message, flush=True)


def main() -> NoReturn:
    """Run the command ``smsd-sandbox``, also ``python -m smsd.sandbox``."""
    options = arguments(sys.argv[1:])
    react(run, (options.listen, options.key))


if __name__ == "__main__":
    main()
