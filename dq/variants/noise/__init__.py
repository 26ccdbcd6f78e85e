"""Kinds of variants that are noise, one a file: what is done to documents (`base`), or to a share of the stream."""
