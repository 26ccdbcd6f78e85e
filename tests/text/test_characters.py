"""The property tables against `unicodedata`, on every code point."""

from __future__ import annotations

import sys
import unicodedata

import numpy as np
import pytest

from dq.text.characters import ASSIGNED, character_classes, lowercase
from dq.text.kernels.flags import DIGIT, LETTER, LOWER, MARK, PUNCTUATION, SPACE, SYMBOL, UPPER

EVERY = range(sys.maxunicode + 1)


@pytest.fixture(scope="module")
def categories() -> list[str]:
    return [unicodedata.category(chr(code)) for code in EVERY]


@pytest.mark.parametrize(
    ("bit", "wanted"),
    [
        (LETTER, ("Lu", "Ll", "Lt", "Lm", "Lo")),
        (MARK, ("Mn", "Mc", "Me")),
        (DIGIT, ("Nd", "Nl", "No")),
        (PUNCTUATION, ("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po")),
        (SYMBOL, ("Sm", "Sc", "Sk", "So")),
        (UPPER, ("Lu", "Lt")),
        (LOWER, ("Ll",)),
    ],
)
def test_a_property_is_that_of_the_general_category(categories: list[str], bit: int, wanted: tuple[str, ...]) -> None:
    expected = np.array([category in wanted for category in categories])
    np.testing.assert_array_equal((character_classes() & bit) != 0, expected)


def test_space_is_what_str_isspace_says() -> None:
    expected = np.array([chr(code).isspace() for code in EVERY])
    np.testing.assert_array_equal((character_classes() & SPACE) != 0, expected)


def test_lower_case_is_that_of_str_lower_where_it_is_one_character() -> None:
    table, longer = lowercase(), []
    for code in EVERY:
        lowered = chr(code).lower()
        if len(lowered) == 1:
            assert table[code] == ord(lowered), hex(code)
        else:
            longer.append(code)
    assert longer == [0x130]
    assert table[0x130] == ord("i")


def test_outside_the_blocks_that_are_looked_at_nothing_has_a_property(categories: list[str]) -> None:
    inside = np.zeros(len(EVERY), bool)
    for block in ASSIGNED:
        inside[block.start : block.stop] = True
    assert {categories[code] for code in np.flatnonzero(~inside)} <= {"Cn", "Cs", "Co", "Cf"}
    assert not character_classes()[~inside].any()
    np.testing.assert_array_equal(lowercase()[~inside], np.flatnonzero(~inside))


def test_the_tables_are_built_once_and_cannot_be_changed() -> None:
    assert character_classes() is character_classes()
    assert lowercase() is lowercase()
    for table in (character_classes(), lowercase()):
        assert table.shape == (0x110000,)
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 1
