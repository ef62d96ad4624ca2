"""A Klein route that does nothing: what everything is compared to. Usage: python -m tests.bench.bare PORT"""

import sys
from typing import Any

from klein import Klein
from twisted.internet import reactor
from twisted.web.server import Site

app = Klein()


@app.route("/sms", methods=["POST"])
def sms(request: Any) -> bytes:
    """Answer whatever was posted."""
    return b'{"ok": true}'


if __name__ == "__main__":
    reactor.listenTCP(int(sys.argv[1]), Site(app.resource()), interface="127.0.0.1")
    reactor.run()
