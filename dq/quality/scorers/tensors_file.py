"""The files of models that dq trained: safetensors, with what the model says of itself in their header."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from dq.config import StrictModel
from dq.errors import InputError, cause_of, require
from dq.store.files import write_bytes_atomic

KEY = "dq"
Header = TypeVar("Header", bound=StrictModel)


def write_model(path: str | Path, tensors: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Write a model, whole or not at all; equal models are equal bytes.

    Raises:
        MissingExtraError: safetensors is not installed.
    """
    numpy = require("safetensors.numpy")
    write_bytes_atomic(Path(path), numpy.save(dict(tensors), metadata={KEY: json.dumps(about, sort_keys=True)}))


@contextmanager
def open_model(path: str | Path, *, what: str) -> Iterator[Any]:
    """A model's file, of which `read_about` reads the header; what is wrong with it inside of the block is one line.

    Raises:
        InputError: the file is missing or none of ``what``.
        MissingExtraError: safetensors is not installed.
    """
    safetensors = require("safetensors")
    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            yield file
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; train a model first") from None
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "its header"
        raise InputError(f"{path}: not {what} of dq: {where}: {fault['msg']}") from None
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise InputError(f"{path}: not {what} of dq: {cause_of(error)}") from None


def read_about(file: Any, model: type[Header]) -> Header:
    """What a model's file says of itself.

    Raises:
        ValidationError: it is none of this kind.
    """
    return model.model_validate_json((file.metadata() or {}).get(KEY, ""))
