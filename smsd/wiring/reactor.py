"""What the parts of the daemon need of a reactor."""

from smsd.callbacks.guard import IGuardReactor
from smsd.callbacks.names import INamesReactor
from smsd.gateway.pools import IGatewayReactor
from smsd.spool.writer import IWriterReactor


class IDaemonReactor(IGatewayReactor, IGuardReactor, INamesReactor, IWriterReactor):
    """All of it; its ``seconds`` must be monotonic."""
