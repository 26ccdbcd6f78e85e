"""Addresses of files that lie elsewhere: what reads them, and what of them nobody else may read."""

from __future__ import annotations

import re

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
BACKENDS = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "hf": "huggingface_hub",
    "https": "aiohttp",
    "http": "aiohttp",
}
"""The schemes that are read, and the package with which fsspec reads each."""
WEB = ("https", "http")
KNOWN_SCHEMES = ", ".join(f"{scheme}://" for scheme in BACKENDS)
# Whoever stands before the host: all of it on the web, where a port is no password; else what a colon is in.
_WEB_USER = r"(?:[^/\s@]*|[^/\s@:]*:(?!\d*[/?#])[^\s@?#]*)@"
_OTHER_USER = r"(?!arn:)[^/\s@]*:[^\s@]*@"
# Of web addresses all behind the path, too: signatures are there.
SECRETS = re.compile(
    rf"(?i)(?P<web>https?://)(?:{_WEB_USER})?(?P<path>[^\s?#'\"<>]*)(?:[?#][^\s'\"<>]*)?"
    rf"|(?P<other>[a-z][a-z0-9+.-]*://){_OTHER_USER}"
)


def is_address(name: str) -> bool:
    """Whether it is ``scheme://`` and more."""
    return ADDRESS.match(name) is not None


def scheme_of(name: str) -> str:
    """The scheme of an address that is read; empty for anything else."""
    scheme, found, _ = name.partition("://")
    return scheme if found and scheme in BACKENDS else ""


def redacted(text: str) -> str:
    """A text without the credentials that the addresses in it may hold: users, passwords, signatures."""
    return SECRETS.sub(lambda found: (found["web"] or found["other"]) + (found["path"] or ""), text)


def has_user(address: str) -> bool:
    """Whether an address says who asks; a container and its account (``abfs://files@account``) are no user."""
    scheme, _, rest = address.partition("://")
    return re.match(_WEB_USER if scheme in WEB else _OTHER_USER, rest) is not None
