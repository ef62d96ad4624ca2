"""Shows the sandbox, and what it delivers, to the person at the terminal."""

import sys

from smsd.sandbox.store import StoredMessage


def say(text: str) -> None:
    """Print ``text`` past the log: sys.stdout has become a part of that, and this is for the newcomer's eyes only."""
    if sys.__stdout__ is not None:
        print(text, file=sys.__stdout__, flush=True)


def show(message: StoredMessage) -> None:
    """Print an SMS that was delivered."""
    say(str(message))


def welcome(*, daemon: str, sandbox: str, data: str, api_key: str) -> None:
    """Say that this is the sandbox, and what to try; ``daemon`` and ``sandbox`` are their addresses."""
    say(f"""
  This is the SANDBOX: no SMS leaves this machine. A MessageBird look-alike at {sandbox}
  takes them and prints each one here. Set SMSD_MESSAGEBIRD_KEY to send for real.

  Data:     {data}
  API key:  {api_key}
  Try it:

  curl -X POST {daemon.replace("127.0.0.1", "localhost")}/sms \\
    -H 'Content-Type: application/json' -H 'X-API-Key: {api_key}' \\
    -d '{{"recipient":31633450007,"originator":"MB","message":"This is a test message."}}'
""")
