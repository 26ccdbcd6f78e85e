"""Faults that pass: a server that is busy, a connection that breaks, an answer that ends early. They are waited for.

Whatever is not known to stay is tried again, five times within about 15 seconds, beside what the backends' own clients
try: a fault that stays costs that time once, and one that passes no restart.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from dq.corpus.addresses import redacted
from dq.corpus.names import spelled
from dq.errors import DqError, InputError, cause_of

T = TypeVar("T")
WAITS = (0.2, 0.5, 1.5, 4.0, 8.0)  # seconds before another try
STAYS = (DqError, PermissionError, ValueError, TypeError, LookupError, AttributeError, ImportError, MemoryError)
GONE = (404, 410)
BUSY = (408, 425, 429)  # of the answers that say that the request is wrong, those that do not mean it
MAX_CAUSE = 200  # characters of what a library says


class MissingError(InputError):
    """A file is not there."""


def patiently(ask: Callable[[], T], *, name: str) -> T:
    """What ``ask`` gives, in spite of faults that pass.

    Raises:
        MissingError: the file of this name is not there.
        InputError: it may not be read, or cannot be reached.
    """
    for wait in (*WAITS, None):
        try:
            return ask()
        except DqError:
            raise
        except Exception as raised:
            error = _meant(raised)
            if isinstance(error, FileNotFoundError) or status_of(error) in GONE:
                raise MissingError(f"{name}: is not there any more; put it back, or run again without it") from None
            if wait is None or _stays(error):
                raise _fault(name, error) from None
        time.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - many readers should not come back at once
    raise AssertionError


def _meant(error: Exception) -> Exception:
    """Of the web fsspec calls every fault that a file is not found."""
    cause = error.__cause__
    is_of_web = isinstance(cause, Exception) and type(cause).__module__.startswith("aiohttp")
    if isinstance(error, FileNotFoundError) and is_of_web and getattr(cause, "status", None) not in GONE:
        return cause  # type: ignore[return-value]
    return error


def status_of(error: BaseException) -> int | None:
    """What a server answered, as the clients of the web and of the hub say it."""
    status = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _stays(error: Exception) -> bool:
    """Whether trying again is in vain."""
    if (status := status_of(error)) is not None and 400 <= status < 500:
        return status not in BUSY
    return isinstance(error, STAYS) or "Credential" in type(error).__name__


def _fault(name: str, error: Exception) -> InputError:
    """Why a file cannot be read, on one line, without what the addresses in a library's message hold."""
    cause = spelled(redacted(cause_of(error))) or type(error).__name__
    if (status := status_of(error)) in (401, 403):
        cause = f"the answer is {status}"  # what else it says may repeat a token
    if isinstance(error, PermissionError) or status in (401, 403) or "credential" in cause.lower():
        what = "HF_TOKEN" if name.startswith("hf://") else "the credentials of its place"
        return InputError(f"{name}: may not be read ({cause[:MAX_CAUSE]}); set {what} in the environment")
    return InputError(f"{name}: cannot be reached: {cause[:MAX_CAUSE]}; run again when it can be")
