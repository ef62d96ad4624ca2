"""Draws where the time of an accept goes: a flame graph of the daemon and its accept processes, by py-spy."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.bench.accept import load
from tests.bench.servers import Server

#: Samples a second.
RATE: Final = 100
#: Percent of the samples: narrower frames cannot be seen, and would make the file three times as large.
LEAST_PERCENT: Final = 0.3
#: Seconds that py-spy may take beside what it watches.
_PATIENCE_S: Final = 60.0
#: What stands before a file's place in the program, or in a package.
_ABOVE: Final = re.compile(r"/[^\s()&]*?/(?=site-packages/|lib/python3|bin/|smsd/)")
#: One frame of the drawing, and its share.
_FRAME: Final = re.compile(r"<g><title>[^<]*, (?P<percent>[\d.]+)%\)</title>.*?</g>")


def flame(smsd: Server, path: Path, for_s: float) -> None:
    """Write the SVG of ``for_s`` seconds of full load on ``smsd``, which has its accept processes already."""
    command = [str(Path(sys.executable).with_name("py-spy")), "record", "--subprocesses", "--function"]
    given = ["--pid", str(smsd.pid), "--duration", str(max(1, round(for_s))), "--rate", str(RATE)]
    watch = subprocess.Popen(
        [*command, *given, "--output", str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    load(for_s + 1)(smsd)
    said, _ = watch.communicate(timeout=_PATIENCE_S)
    assert watch.returncode == 0, said.decode()
    path.write_text(_FRAME.sub(_without_narrow, _ABOVE.sub("", path.read_text())))


def _without_narrow(frame: re.Match[str]) -> str:
    return frame[0] if float(frame["percent"]) >= LEAST_PERCENT else ""
