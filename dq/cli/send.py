"""`dq send`: what a command made, to a bucket or the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq.cli import show
from dq.cli.options import AsJson, DryRun, Overwrite

if TYPE_CHECKING:
    from dq.files.finished import SendResult


def send(
    path: Annotated[Path, typer.Argument(help="A file or a folder that a command has made.")],
    address: Annotated[
        str, typer.Argument(help="Where to: s3://bucket/folder, gs:// or az://; hf://datasets/OWNER/NAME.")
    ],
    public: Annotated[bool, typer.Option("--public", help="On the hub: let everybody read it.")] = False,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Send what a command made: to a bucket, `sent.json` that lists all last; to the hub in one commit, private.

    Example: dq send kept s3://bucket/kept
    """
    from dq.files.sent import send as send_files

    with show.progress() as progress:
        done = send_files(path, address, public=public, overwrite=overwrite, dry_run=dry_run, progress=progress)
    if as_json:
        show.json(done)
        return
    show_sent(done, dry_run=dry_run)


def show_sent(done: SendResult, *, dry_run: bool = False) -> None:
    """What was sent, and where it is."""
    seen = "" if done.private is None else ", private" if done.private else ", public"
    gone = f", {done.deleted:,} others deleted" if done.deleted else ""
    verb = "to send" if dry_run else "of them sent now"
    show.line(f"{done.address}{seen}: {done.files:,} files, {done.bytes:,} bytes; {done.sent:,} {verb}{gone}")
