"""All commands of ``smsctl``."""

import os
from importlib.metadata import version

import click

from smsd.cli.completion import completion
from smsd.cli.configuration import config
from smsd.cli.connection import Connection
from smsd.cli.keys import keys
from smsd.cli.letters import archive
from smsd.cli.messages import cancel, list_messages, replay, show
from smsd.cli.outage import held
from smsd.cli.output import json_option
from smsd.cli.sending import send
from smsd.cli.spools import spool
from smsd.cli.watching import status, tail


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", envvar="SMSD_URL", default="http://localhost:5000", show_default=True, help="Where smsd is.")
@click.version_option(version("smsd"), prog_name="smsctl")
@json_option
@click.pass_context
def smsctl(context: click.Context, url: str) -> None:
    """Ask smsd, and tell it what to do.

    The API key comes from SMSD_API_KEY: on a command line everybody on this machine could read it.

    \b
    Exit codes: 0 done; 1 smsd said no; 2 wrong use; 3 try again later; 130 interrupted.
    """
    context.obj = Connection(url, os.environ.get("SMSD_API_KEY"))


for command in (
    send,
    list_messages,
    show,
    cancel,
    replay,
    held,
    keys,
    tail,
    status,
    config,
    archive,
    spool,
    completion,
):
    smsctl.add_command(command)
