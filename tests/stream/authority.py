"""Signs the certificate of a server on this machine, as an authority that nobody else knows."""

from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.certificates import signed


def certify(folder: Path) -> None:
    """Write into ``folder`` the authority, ``ca.pem``, and a key with its certificate for 127.0.0.1, ``server.pem``."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    itself = x509.BasicConstraints(ca=True, path_length=0)
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    (folder / "ca.pem").write_bytes(_signed("an authority", authority, authority, itself))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + _signed("a server", key, authority, here))


def _signed(
    name: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey, what: x509.ExtensionType
) -> bytes:
    return signed(name, key, "an authority", by, what).public_bytes(serialization.Encoding.PEM)
