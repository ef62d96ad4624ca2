"""Signs certificates for servers on this machine."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec


def signed(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, by: ec.EllipticCurvePrivateKey, *what: x509.ExtensionType
) -> x509.Certificate:
    """A certificate of ``key`` for ``name``, good for a day, that ``issuer`` signs with the key ``by``."""
    subject, authority = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, each)]) for each in (name, issuer))
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    for each in what:
        builder = builder.add_extension(each, critical=isinstance(each, x509.BasicConstraints))
    return builder.sign(by, hashes.SHA256())
