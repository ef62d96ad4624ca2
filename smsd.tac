"""For ``twistd -y smsd.tac``: everything is set by the environment and smsd.toml."""

from smsd.tap import make_application

application = make_application()
