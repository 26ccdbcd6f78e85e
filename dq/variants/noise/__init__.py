"""Kinds of variants that rewrite tokens, one a file; see `dq.variants.kind`."""
