"""Formats in which streams are exported, one a file: a function that writes the files of a folder.

Text has every piece whole; tokens are exactly the budget's. Files that are whole stay when an export goes on after an
interruption.
"""
