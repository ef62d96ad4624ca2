"""A look-alike of S3 that has the bucket ``letters``, and of DynamoDB."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import requests
from moto.server import ThreadedMotoServer

AWS = {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def served() -> Iterator[str]:
    """Its address, while it runs."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    url = f"http://127.0.0.1:{port}"
    client(url).create_bucket(Bucket="letters")
    yield url
    requests.post(f"{url}/moto-api/reset", timeout=60)
    server.stop()


def client(url: str, service: str = "s3") -> Any:
    session = boto3.session.Session(
        aws_access_key_id="an-id", aws_secret_access_key="a-secret", region_name="us-east-1"
    )
    return session.client(service, endpoint_url=url)


def letters(url: str) -> list[str]:
    return [each["Key"] for each in client(url).list_objects_v2(Bucket="letters").get("Contents", [])]
