"""Compiled text kernels over Arrow string buffers: no Python work per document or per word."""
