"""Tells the service manager how far the daemon is, as sd_notify(3) describes."""

import socket
from collections.abc import Mapping


def notify(environ: Mapping[str, str], state: str) -> None:
    """Send ``state``, such as ``READY=1``, to where ``NOTIFY_SOCKET`` in ``environ`` leads; to nobody without it."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            # "If the first character is @, the string is an address in the abstract namespace."
            sender.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
            sender.sendall(state.encode())
        except OSError:
            return  # a manager that does not listen is no reason not to send SMS
