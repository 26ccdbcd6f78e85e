"""Documents in: readers, quarantine, sample corpora, and the shards everything else reads."""

from dq.corpus.config import InputSpec, ReadConfig
from dq.corpus.corpus import Corpus

__all__ = ["Corpus", "InputSpec", "ReadConfig"]
