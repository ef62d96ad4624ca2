"""Keeps letters as objects in S3, or in what speaks its language."""

import base64
import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from twisted.internet.defer import Deferred
from zope.interface import implementer

from smsd.core.letter import ArchiveFailed, NoSuchLetter
from smsd.ports import IArchive

#: Seconds to wait for a connection.
CONNECT_S: Final = 5.0
#: Seconds to wait for an answer.
READ_S: Final = 10.0
#: Keys of one answer to ``list``; S3 gives no more.
PAGE: Final = 1000
#: All that boto3 raises; ValueError for an AWS_ENDPOINT_URL that is none.
_TROUBLE: Final = (ClientError, BotoCoreError, ValueError)


@implementer(IArchive)
class S3Archive:
    """One object a letter, put only where there is none, checked by S3 against its SHA-256.

    Credentials, region and endpoint are looked up by boto3 as for any AWS tool (AWS_ENDPOINT_URL among them).
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        defer: Callable[..., Deferred[Any]],
        encryption: str = "",
        kms_key: str = "",
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
        page: int = PAGE,
    ) -> None:
        """Keep letters in ``bucket`` below ``prefix``. ``defer`` calls a function in a thread.

        ``encryption`` is ``AES256`` or ``aws:kms`` (with the ``kms_key``, if it is not the account's own); empty
        leaves it to the bucket. ``connect_s`` and ``read_s`` bound each of two tries; a list has ``page`` keys.
        """
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._defer = defer
        self._page = page
        self._extra = {"ServerSideEncryption": encryption, "SSEKMSKeyId": kms_key}
        self._config = Config(
            connect_timeout=connect_s, read_timeout=read_s, retries={"total_max_attempts": 2, "mode": "standard"}
        )
        self._lock = threading.Lock()
        self._made: Any = None

    async def put(self, key: str, body: bytes) -> None:
        """See IArchive."""
        await self._defer(self._put, key, body)

    async def list(self, prefix: str, after: str = "") -> Sequence[str]:
        """See IArchive."""
        found: Sequence[str] = await self._defer(self._list, prefix, after)
        return found

    async def get(self, key: str) -> bytes:
        """See IArchive."""
        body: bytes = await self._defer(self._get, key)
        return body

    def _put(self, key: str, body: bytes) -> None:
        try:
            self._client().put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=body,
                ContentType="application/json",
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(hashlib.sha256(body).digest()).decode(),
                **{name: value for name, value in self._extra.items() if value},
            )
        except _TROUBLE as error:
            if _code(error) != "PreconditionFailed":  # which says that it is there already
                raise _failed(error) from None

    def _get(self, key: str) -> bytes:
        try:
            body: bytes = self._client().get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read()
        except _TROUBLE as error:
            if _code(error) == "NoSuchKey":
                raise NoSuchLetter(key=key) from None
            raise _failed(error) from None
        return body

    def _list(self, prefix: str, after: str) -> Sequence[str]:
        start = {"StartAfter": self._prefix + after} if after else {}
        try:
            page = self._client().list_objects_v2(
                Bucket=self._bucket, Prefix=self._prefix + prefix, MaxKeys=self._page, **start
            )
        except _TROUBLE as error:
            raise _failed(error) from None
        return [each["Key"].removeprefix(self._prefix) for each in page.get("Contents", ())]

    def _client(self) -> Any:
        # In the thread that first needs it: to make one reads megabytes of JSON. It may be shared, its making not.
        with self._lock:
            if self._made is None:
                self._made = boto3.session.Session().client("s3", config=self._config)
            return self._made


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


def _failed(error: Exception) -> ArchiveFailed:
    # Without the error's own words, which hold addresses and now and then an access key's id.
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return ArchiveFailed(reason=f"S3 answered {status}, {_code(error)}")
    return ArchiveFailed(reason=f"S3 could not be asked ({type(error).__name__})")
