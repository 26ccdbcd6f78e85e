"""Kinds of variants that choose documents, one a file; see `dq.variants.kind`."""
