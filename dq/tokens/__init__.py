"""A byte-level BPE tokenizer and the token pool: every document's tokens, once."""

from dq.tokens.pool import TokenPool, tokenize_corpus
from dq.tokens.tokenizer import BOS_ID, TokenizerConfig, load_tokenizer, train_tokenizer

__all__ = ["BOS_ID", "TokenPool", "TokenizerConfig", "load_tokenizer", "tokenize_corpus", "train_tokenizer"]
