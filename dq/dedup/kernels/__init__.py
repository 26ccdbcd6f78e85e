"""Compiled loops of deduplication: shingles, signatures, candidates, selection."""
