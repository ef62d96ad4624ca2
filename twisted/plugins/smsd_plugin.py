"""Tells twistd of smsd."""

from twisted.application.service import ServiceMaker

smsd = ServiceMaker("smsd", "smsd.tap", "Accepts SMS over HTTP and sends them at the agreed rate.", "smsd")
