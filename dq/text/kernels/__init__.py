"""Compiled loops over texts: bytes, characters, words."""
