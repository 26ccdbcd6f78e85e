"""Compiled loops that compute what other libraries do."""
