"""What the Hugging Face hub says now of its files: its client remembers listings, and tells no contents of one file."""

from __future__ import annotations

from typing import Any


def asked(method: str, files: Any, path: str) -> Any:
    """``info`` or ``ls`` of a path, as fsspec has them, with the blob of every file.

    Raises:
        PermissionError: the repository is not there, or not for whoever asks: the hub does not say which.
    """
    try:
        return _info(files, path) if method == "info" else files.ls(path, detail=True, refresh=True)
    except FileNotFoundError as error:
        if type(error.__cause__).__name__ in ("RepositoryNotFoundError", "GatedRepoError"):
            raise PermissionError("there is no such repository, or it is not for everybody") from None
        raise


def _info(files: Any, path: str) -> dict[str, Any]:
    at = files.resolve_path(path)
    if not getattr(at, "path_in_repo", ""):  # a repository itself, or a bucket
        found: dict[str, Any] = files.info(path, refresh=True)
        return found
    known = files._api.get_paths_info(at.repo_id, at.path_in_repo, revision=at.revision, repo_type=at.repo_type)
    if not known:
        raise FileNotFoundError(path)
    if not hasattr(known[0], "blob_id"):
        return {"name": path, "size": 0, "type": "directory"}
    return {"name": path, "size": known[0].size, "type": "file", "blob_id": known[0].blob_id}
