"""Scorers: signals that are no compiled kernel's."""
