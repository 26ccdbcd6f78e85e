"""What dq finds on this machine: versions, extras, cores, memory, caches and compiled kernels. Changes nothing.

What one pastes below a report of a fault, and looks at before a long job.
"""

from __future__ import annotations

import importlib
import os
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from dq import __version__
from dq.results import Result
from dq.store import cache_folder

LIBRARIES = ("numba", "numpy", "polars", "pyarrow", "orjson", "pydantic")
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "train": ("torch", "tokenizers", "fastokens", "safetensors"),
    "report": ("jinja2",),
    "html": ("resiliparse",),
    "trafilatura": ("trafilatura", "resiliparse"),
    "clean": ("ftfy",),
    "datatrove": ("datatrove",),
    "datasketch": ("datasketch",),
    "hf": ("datasets", "transformers"),
    "words": ("icu4py",),
    "wordlists": ("glin_profanity",),
    "tensorboard": ("tensorboard",),
    "trackio": ("trackio",),
    "wandb": ("wandb",),
}
"""Extras of the package and the modules that each brings."""
KERNELS = ("dq.text.kernels.scan", "dq.quality.kernels.lines", "dq.dedup.kernels.signatures")
"""A file of kernels of each kind of work: the last that its first use compiles."""


@dataclass(frozen=True)
class Checkup(Result):
    """What was found.

    Attributes:
        versions: of dq, Python, the system and the libraries that results depend on.
        missing_extras: the modules that are not there, by extra; extras that are whole are in ``extras``.
        cores: that this process may use.
        memory_bytes: of the machine; None where it does not say.
        cache: the folder of fetched samples, and whether it can be written.
        kernels: where compiled kernels are kept; ``kernels_compiled`` says whether they are there for this version.
        device: what models would be trained on; None without torch.
    """

    versions: Mapping[str, str]
    extras: tuple[str, ...]
    missing_extras: Mapping[str, tuple[str, ...]]
    cores: int
    memory_bytes: int | None
    cache: Path
    cache_writable: bool
    kernels: Path
    kernels_compiled: bool
    device: str | None


def examine() -> Checkup:
    """Look at the machine and the installation."""
    absent = {extra: tuple(one for one in needs if find_spec(one) is None) for extra, needs in EXTRAS.items()}
    libraries = {name: _version(name) for name in LIBRARIES}
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    folder, compiled = _kernels()
    return Checkup(
        versions={"dq": __version__, "Python": platform.python_version(), "system": system, **libraries},
        extras=tuple(extra for extra, modules in absent.items() if not modules),
        missing_extras={extra: modules for extra, modules in absent.items() if modules},
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=memory_bytes(),
        cache=cache_folder(),
        cache_writable=_writable(cache_folder()),
        kernels=folder,
        kernels_compiled=compiled,
        device=_device(),
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def memory_bytes() -> int | None:
    """Of this machine, where the system says."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _writable(folder: Path) -> bool:
    """Whether a file can be made in a folder, or in the nearest above it that is there."""
    try:
        with tempfile.TemporaryFile(dir=next(one for one in (folder, *folder.parents) if one.exists())):
            return True
    except OSError:
        return False


def _kernels() -> tuple[Path, bool]:
    """The folder of compiled kernels, and whether those of every kind of work are there as this version needs them."""
    found = []
    for name in KERNELS:
        module = importlib.import_module(name)
        mine = (one for one in vars(module).values() if hasattr(one, "stats") and one.__module__ == name)
        folder = Path(next(path for one in mine if (path := one.stats.cache_path) is not None))
        source = Path(str(module.__file__)).stat().st_mtime
        kept = [path.stat().st_mtime for path in folder.glob(f"{name.rpartition('.')[2]}.*.nbi")]
        found.append((folder, any(when >= source for when in kept)))
    return found[0][0], all(compiled for _, compiled in found)


def _device() -> str | None:
    if find_spec("torch") is None:
        return None
    torch = importlib.import_module("torch")
    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else "cpu"
