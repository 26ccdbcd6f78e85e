"""Where input files lie, one module a place."""

from dq.corpus.places.base import MAGIC_BYTES, File, Found, Place
from dq.corpus.places.local import LocalFile, LocalPlace
from dq.corpus.places.remote import RemoteFile, RemotePlace

__all__ = [
    "MAGIC_BYTES",
    "PLACES",
    "File",
    "Found",
    "LocalFile",
    "LocalPlace",
    "Place",
    "RemoteFile",
    "RemotePlace",
]

PLACES: tuple[Place, ...] = (LocalPlace(), RemotePlace())
"""Every place that dq reads from; the first that matches an entry of the input finds its files."""
