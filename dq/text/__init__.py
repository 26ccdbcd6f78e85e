"""Texts as Arrow string buffers, and what compiled kernels make of them: words, hashes, properties of characters.

No Python work per document or per word. Other packages import from here; only their own kernels reach into
``dq.text.kernels``.
"""

from dq.text.buffers import TextBatch, Texts, arrow_array, string_array, text_batch
from dq.text.characters import ASSIGNED, CODE_POINTS, character_classes, code_points, lowercase
from dq.text.cleaner import Cleaned, Cleaner, CorpusCleaner
from dq.text.dictionary import dictionary_words
from dq.text.edits import draws, edited, of_pieces, places_of_dose
from dq.text.hashing import content_keys, mix64, uniform
from dq.text.kernels import flags as character_bits
from dq.text.kernels.flags import TextTables, WordArrays
from dq.text.kernels.hash import hash_of
from dq.text.kernels.nfc import NfcTables
from dq.text.nfc import nfc_tables
from dq.text.runs import rows_with_long_runs
from dq.text.scripts import SPACELESS_SCRIPTS, spaceless_scripts
from dq.text.tables import text_tables
from dq.text.tidy import Tidier, tidied, tidy_table
from dq.text.words import Splitter, WordDefinition, is_unicode_words, split_words

__all__ = [
    "ASSIGNED",
    "CODE_POINTS",
    "SPACELESS_SCRIPTS",
    "Cleaned",
    "Cleaner",
    "CorpusCleaner",
    "NfcTables",
    "Splitter",
    "TextBatch",
    "TextTables",
    "Texts",
    "Tidier",
    "WordArrays",
    "WordDefinition",
    "arrow_array",
    "character_bits",
    "character_classes",
    "code_points",
    "content_keys",
    "dictionary_words",
    "draws",
    "edited",
    "hash_of",
    "is_unicode_words",
    "lowercase",
    "mix64",
    "nfc_tables",
    "of_pieces",
    "places_of_dose",
    "rows_with_long_runs",
    "spaceless_scripts",
    "split_words",
    "string_array",
    "text_batch",
    "text_tables",
    "tidied",
    "tidy_table",
    "uniform",
]
