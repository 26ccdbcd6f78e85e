"""Compiled loops of the signals: documents, lines, n-grams, C4."""
