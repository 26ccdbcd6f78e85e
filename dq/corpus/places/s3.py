"""Buckets of S3, read through botocore, on which s3fs stands: the same environment and files say who may read what.

Alone it is ready in 0.2 s of the processor, where s3fs and what it needs for asynchronous requests take 0.9 in every
process that reads. What fsspec's own configuration says is s3fs's: where there is one, s3fs reads, as it always writes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from dq.errors import require

CONNECTIONS = 64  # of 16 files, each read by 4 threads
SECONDS = {"connect_timeout": 5, "read_timeout": 15}  # as s3fs has them
# A bucket, or an access point in its place, and the key.
PATH = re.compile(r"(arn:(?:[^/]*/[^/]+/)?[^/]*accesspoint[:/][^/]+|[^/]*)/?(.*)", re.DOTALL)


def is_configured_for_fsspec() -> bool:
    """Whether fsspec may know something of S3 that botocore does not."""
    folder = os.environ.get("FSSPEC_CONFIG_DIR", "~/.config/fsspec")
    return any(name.startswith("FSSPEC_S3") for name in os.environ) or Path(folder).expanduser().exists()


class S3:
    """Of fsspec's file systems what reading calls; several threads may."""

    @cached_property
    def _client(self) -> Any:
        config = require("botocore.config").Config(max_pool_connections=CONNECTIONS, **SECONDS)
        return require("botocore.session").get_session().create_client("s3", config=config)

    @staticmethod
    def _strip_protocol(address: str) -> str:
        """Bucket and key."""
        return address.partition("://")[2].rstrip("/")

    def info(self, path: str) -> dict[str, Any]:
        """What a file is, or that a path is a folder."""
        bucket, key = split(path)
        with _as_system_errors():
            if not key:
                self._client.head_bucket(Bucket=bucket)
                return {"name": path, "size": 0, "type": "directory"}
            try:
                found = self._client.head_object(Bucket=bucket, Key=key)
            except self._client.exceptions.ClientError as error:
                if _status(error) != 404:
                    raise
                below = self._client.list_objects_v2(Bucket=bucket, Prefix=f"{key}/", MaxKeys=1)
                if not below.get("Contents"):
                    raise
                return {"name": path, "size": 0, "type": "directory"}
        return _file(bucket, {**found, "Key": key, "Size": found["ContentLength"]})

    def ls(self, path: str, *, detail: bool) -> list[dict[str, Any]]:
        """The files and folders in a folder."""
        assert detail
        bucket, key = split(path)
        found: list[dict[str, Any]] = []
        with _as_system_errors():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=bucket, Prefix=f"{key}/" if key else "", Delimiter="/"):
                found += (_file(bucket, one) for one in page.get("Contents", ()))
                folders = (one["Prefix"][:-1] for one in page.get("CommonPrefixes", ()))
                found += ({"name": f"{bucket}/{folder}", "size": 0, "type": "directory"} for folder in folders)
        return found

    def open(self, path: str, _mode: str, **_options: Any) -> Opened:
        """A file as it is now."""
        return Opened(self._client, path, self.info(path))


class Opened:
    """A file in the state that it had when it was opened: of another one no byte is read."""

    def __init__(self, client: Any, path: str, details: dict[str, Any]) -> None:
        self._client, self.details = client, details
        self._bucket, self._key = split(path)
        self.read_kw = {"IfMatch": details["ETag"]} if details.get("ETag") else {}

    def _fetch_range(self, start: int, end: int) -> bytes:
        with _as_system_errors():
            asked = {"Range": f"bytes={start}-{end - 1}", **self.read_kw}
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key, **asked)
            if start and not answer.get("ContentRange", "").startswith(f"bytes {start}-"):
                raise ValueError("its server gives no ranges")
            found: bytes = answer["Body"].read()
        return found


def split(path: str) -> tuple[str, str]:
    """Bucket and key of a path."""
    found = PATH.fullmatch(path)
    assert found is not None
    return found[1], found[2]


def _file(bucket: str, said: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {key: said[key] for key in ("ETag", "LastModified") if key in said}
    return {"name": f"{bucket}/{said['Key']}", "size": said["Size"], "type": "file", **known}


def _status(error: Exception) -> int:
    return int(getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def _as_system_errors() -> Iterator[None]:
    """What a server says against a request, as the system would say it of a file."""
    errors = require("botocore.exceptions")
    try:
        yield
    except errors.ClientError as error:
        kinds = {404: FileNotFoundError, 401: PermissionError, 403: PermissionError}
        raise kinds.get(_status(error), OSError)(str(error)) from error
    except (errors.ProfileNotFound, errors.ConfigParseError) as error:
        raise PermissionError(str(error)) from error
    except errors.ParamValidationError as error:
        raise ValueError(str(error)) from error
