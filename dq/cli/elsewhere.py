"""`--output s3://bucket/kept`: results are made here, in ``kept``, and sent there as soon as they are finished.

On the way nothing is written to a bucket: here a command goes on where it was interrupted, and what is sent is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import typer

from dq.cli import show
from dq.cli.send import show_sent

NAMES = ("--output", "-o")
NO_RESULTS = "recipes"  # the command that copies what is to be edited here


@dataclass(frozen=True)
class Elsewhere:
    """Where results are made, and where they are to go."""

    path: str
    address: str
    overwrite: bool
    as_json: bool

    def send(self) -> None:
        """Send what was made, and say so beside results that are for people."""
        from dq.files.sent import send

        with show.progress() as progress:
            done = send(Path(self.path), self.address, overwrite=self.overwrite, progress=progress)
        if not self.as_json:
            show_sent(done)


def made_here(arguments: Sequence[str]) -> tuple[list[str], Elsewhere | None]:
    """Arguments in which the output is of this machine, and where it is to be sent.

    Raises:
        DqError: nothing can be sent to the address.
    """
    words, found = list(arguments), None
    for at, word in enumerate(words):
        before = words[at - 1] if at else ""
        name, _, joined = word.partition("=")
        address = word if before in NAMES else joined if name in NAMES else ""
        if "://" in address:
            if words[0] == NO_RESULTS:
                raise typer.BadParameter("recipes are copied to a folder of this machine", param_hint="--output")
            path = _place_of(address)
            words[at] = word.removesuffix(address) + path
            found = Elsewhere(path, address, overwrite="--overwrite" in words, as_json="--json" in words)
    return words, None if "--dry-run" in words else found


def _place_of(address: str) -> str:
    """The name of what an address ends with.

    Raises:
        DqError: nothing can be sent to it.
    """
    from dq.files.sent import check_address

    check_address(address)
    name = PurePosixPath(address.partition("://")[2]).name
    if name in ("", ".."):
        raise typer.BadParameter("name a folder or a file of the bucket", param_hint="--output")
    return name
