"""`dq send`: what a command made, to a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dq.cli import show
from dq.cli.options import AsJson, Overwrite


def send(
    path: Annotated[Path, typer.Argument(help="A file or a folder that a command has made.")],
    address: Annotated[str, typer.Argument(help="Where to: s3://bucket/folder, or of gs:// or az://.")],
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Send what a command made to a bucket: each file appears whole, `sent.json`, which lists them, last.

    Example: dq send kept s3://bucket/kept
    """
    from dq.files.sent import send as send_files

    with show.progress() as progress:
        done = send_files(path, address, overwrite=overwrite, progress=progress)
    if as_json:
        show.json(done)
        return
    show.line(f"{done.address}: {done.files:,} files, {done.bytes:,} bytes; {done.sent:,} of them sent now")
