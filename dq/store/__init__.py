"""Where results live on disk, when they count as finished, and who may write."""

from dq.store.files import (
    file_sha256,
    local,
    read_array,
    read_json,
    read_parquet,
    write_bytes_atomic,
    write_json_atomic,
    write_parquet,
    write_table,
)
from dq.store.lock import FolderLock
from dq.store.stage import Stage, StageRecord, check_files, read_record, relist
from dq.store.wheels import Wheel, cache_folder, path_of
from dq.store.workspace import Workspace, as_workspace

__all__ = [
    "FolderLock",
    "Stage",
    "StageRecord",
    "Wheel",
    "Workspace",
    "as_workspace",
    "cache_folder",
    "check_files",
    "file_sha256",
    "local",
    "path_of",
    "read_array",
    "read_json",
    "read_parquet",
    "read_record",
    "relist",
    "write_bytes_atomic",
    "write_json_atomic",
    "write_parquet",
    "write_table",
]
