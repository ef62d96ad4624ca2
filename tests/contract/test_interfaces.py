"""An engine provides what the seams ask for."""

import pytest
from zope.interface import Interface
from zope.interface.verify import verifyObject

from smsd.ports import IEngine, IInbox, ILedger, IOutbox


@pytest.mark.parametrize("seam", [IInbox, IOutbox, ILedger, IEngine])
def test_an_engine_provides_the_seam(spool, seam: type[Interface]):
    assert verifyObject(seam, spool)
