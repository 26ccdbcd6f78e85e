"""Documents in: readers, quarantine, sample corpora, and the shards everything else reads."""

from dq.corpus.config import InputSpec, ReadConfig
from dq.corpus.corpus import Corpus
from dq.corpus.ingest import ingest

__all__ = ["Corpus", "InputSpec", "ReadConfig", "ingest"]
