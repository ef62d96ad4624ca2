"""The daemon serves TLS by itself, and reads a renewed certificate without closing its door."""

import datetime
import signal
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.threads import deferToThread

from tests.integration.daemon import DaemonProcess, until

BEGIN, END = datetime.datetime(2020, 1, 1), datetime.datetime(2120, 1, 1)


def write_certificate(folder: Path, name: str) -> None:
    """A certificate for ``name`` that is signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGIN)
        .not_valid_after(END)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))


class Talk:
    """A client that keeps its connection and looks at the certificate."""

    def __init__(self, port: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10))

    @property
    def name(self) -> str:
        shown = x509.load_der_x509_certificate(self._socket.getpeercert(binary_form=True) or b"")
        return str(shown.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)

    def is_answered(self) -> bool:
        self._socket.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return self._socket.recv(100).startswith(b"HTTP/1.1 200 ")

    def close(self) -> None:
        self._socket.close()


async def served(server: DaemonProcess) -> str:
    """The name in the certificate that a new connection gets; empty while there is none."""

    def look() -> str:
        try:
            talk = Talk(server.port)
        except OSError:
            return ""
        try:
            return talk.name if talk.is_answered() else ""
        finally:
            talk.close()

    name: str = await deferToThread(look)
    return name


@pytest_twisted.ensureDeferred
async def test_a_renewed_certificate_is_served_and_a_spoilt_one_is_not(daemon: Any, tmp_path: Path) -> None:
    write_certificate(tmp_path, "first")
    server = daemon(rate="0.01")
    where = f"{tmp_path}/key.pem:certKey={tmp_path}/cert.pem:interface=127.0.0.1"
    server.environment["SMSD_LISTEN"] = f"ssl:{server.port}:privateKey={where}"
    server.spawn()
    await until(lambda: served(server), "it answers")
    assert f"listening on https://127.0.0.1:{server.port}" in server.output.read_text()
    talk = await deferToThread(Talk, server.port)

    write_certificate(tmp_path, "second")
    server.process.send_signal(signal.SIGHUP)

    async def is_renewed() -> bool:
        return await served(server) == "second"

    await until(is_renewed, "the new certificate is served")
    assert await deferToThread(talk.is_answered)
    assert talk.name == "first"
    talk.close()

    (tmp_path / "cert.pem").write_text("nonsense")
    server.process.send_signal(signal.SIGHUP)
    await until(lambda: "the certificate stays as it was" in server.output.read_text(), "it says so")
    assert await served(server) == "second"
    assert await server.terminate() == 0


@pytest_twisted.ensureDeferred
async def test_a_certificate_that_is_not_there_is_said_in_one_line(daemon: Any, tmp_path: Path) -> None:
    server = daemon(rate="0.01")
    server.environment["SMSD_LISTEN"] = f"ssl:{server.port}:privateKey={tmp_path}/none.pem"
    server.spawn()
    assert await server.ended() == 1
    said = server.output.read_text()
    assert "smsd cannot start" in said
    assert "none.pem" in said
    assert "Traceback" not in said
