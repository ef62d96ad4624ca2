"""Brings Bird's SDK in, which is an extra, without its noise."""

import warnings

import attrs

from smsd.core.errors import SmsdError


@attrs.frozen(kw_only=True)
class SdkMissing(SmsdError):
    """Bird's client is not installed: pip install 'smsd[bird]'."""


with warnings.catch_warnings():
    # pydantic warns of models of the SDK's that have to do with other things than SMS.
    warnings.simplefilter("ignore", UserWarning)
    try:
        from bird import Bird, BirdError, WebhookVerificationError
    except ImportError as error:
        raise SdkMissing from error

__all__ = ["Bird", "BirdError", "SdkMissing", "WebhookVerificationError"]
