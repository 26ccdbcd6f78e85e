"""Deduplication as steps of datatrove pipelines.

`Signatures` stands in place of datatrove's first stage of MinHash, whose time goes into finding words, and writes such
files, so that its other stages go on from them; `Deduplicate` is dq's own, with proof, of the documents of one task.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from dq.arguments import whole_number
from dq.dedup import MinHash, deduplicate
from dq.errors import ConfigError, require

if TYPE_CHECKING:
    from datatrove.data import Document

EMPTY = np.uint32(2**32 - 1)  # of a document without shingles, throughout
_stages = require("datatrove.pipeline.dedup.minhash")
_base = require("datatrove.pipeline.filters.base_filter")


class Signatures(_stages.MinhashDedupSignature):  # type: ignore[misc,name-defined]
    """``MinhashDedupSignature`` by dq's words and kernels: its files, with hashes of 32 bits.

    The stages behind it take its ``config``: ``MinhashDedupBuckets(input_folder=..., config=signatures.config)``.

    Args:
        output_folder: where the files go.
        minhash: what is signed and how.
        num_buckets: bands, which share the permutations equally; 14 of 8 find a similarity of 0.8 in 92 of 100 cases.
        batch_size: documents that are signed together.

    Raises:
        ConfigError: the permutations are no multiple of the buckets.
    """

    name = "dq signatures"

    def __init__(
        self,
        output_folder: Any,
        minhash: MinHash = MinHash(),  # noqa: B008 - frozen
        *,
        num_buckets: int = 14,
        batch_size: int = 1000,
    ) -> None:
        rows, rest = divmod(minhash.config.num_perm, whole_number(num_buckets, name="num_buckets", least=1))
        if rest:
            raise ConfigError(f"{minhash.num_perm} permutations do not fill {num_buckets} buckets", field="num_buckets")
        config = _stages.MinhashConfig(
            n_grams=minhash.ngram,
            num_buckets=num_buckets,
            hashes_per_bucket=rows,
            seed=minhash.seed,
            hash_config=_stages.HashConfig(precision=32),
        )
        super().__init__(output_folder, config)
        self.minhash = minhash
        self.batch_size = whole_number(batch_size, name="batch_size", least=1)

    def run(self, data: Iterator[Document], rank: int = 0, world_size: int = 1) -> None:
        """Write the signatures of a task's documents."""
        super().run(self._signed(data), rank, world_size)

    def _signed(self, data: Iterator[Document]) -> Iterator[Document]:
        """The documents; while one is at work its signature is at hand."""
        while batch := list(itertools.islice(data, self.batch_size)):
            for doc, row in zip(batch, self.minhash.signatures([doc.text for doc in batch]), strict=True):
                self._row = row
                yield doc

    def get_shingles(self, text: str) -> Any:  # noqa: ARG002 - its signature is at hand
        """The signature, in place of shingles; empty where the text has none."""
        return self._row[: 0 if (self._row == EMPTY).all() else None]

    def get_signature(self, shingles: Any) -> list[list[int]]:
        """The same by bucket."""
        return [bucket.tolist() for bucket in np.split(shingles, self.config.num_buckets)]


class Deduplicate(_base.BaseFilter):  # type: ignore[misc,name-defined]
    """Of near-duplicates among all documents of a pipeline of one task, keep one each. They are held in memory.

    A removed document's ``metadata["kept_id"]`` names the kept one, ``metadata["similarity"]`` is their exact Jaccard
    similarity; a kept one has ``metadata["cluster_size"]``. For more than memory holds there are `Signatures`, and
    ``dq dedup``.

    Args:
        exclusion_writer: a datatrove writer for removed documents.
        options: of :func:`dq.deduplicate`, such as ``threshold=0.8``.
    """

    name = "dq deduplication"

    def __init__(self, exclusion_writer: Any = None, **options: Any) -> None:
        super().__init__(exclusion_writer, batch_size=sys.maxsize)
        deduplicate([], **options)  # a wrong one is an error at once
        self.options = options

    def run(self, data: Iterator[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Yield the kept documents.

        Raises:
            ConfigError: there are other tasks, whose documents are not seen here.
        """
        if world_size > 1:
            raise ConfigError(
                f"{world_size} tasks, and documents of one are not compared with those of others; run one "
                "(`tasks=1`), or use `Signatures` with datatrove's stages, or `dq dedup`",
                field="tasks",
            )
        return super().run(data, rank, world_size)  # type: ignore[no-any-return]

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Of one document nothing is a duplicate."""
        return self.filter_batch([doc])[0]

    def filter_batch(self, batch: list[Document]) -> list[bool | tuple[bool, str]]:
        """Which of the documents stay."""
        found = deduplicate([doc.text for doc in batch], **self.options)
        results: list[bool | tuple[bool, str]] = []
        for at, row in enumerate(found.iter_rows(named=True)):
            if row["kept_index"] == at:
                batch[at].metadata["cluster_size"] = row["cluster"]
                results.append(True)
            else:
                batch[at].metadata.update(kept_id=batch[row["kept_index"]].id, similarity=row["similarity"])
                results.append((False, "exact_copy" if row["exact"] else "near_copy"))
        return results
