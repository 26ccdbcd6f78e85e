"""Documents that are made from the code are as the code is."""

from __future__ import annotations

import pytest

from tests.tree import PARTS, ROOT, first_line, with_part


@pytest.mark.parametrize("document", PARTS)
def test_a_part_that_is_made_from_the_code_is_current(document: str) -> None:
    assert (ROOT / document).read_text("utf-8") == with_part(document), "write it anew: python -m tests.tree"


def test_every_module_says_in_one_line_what_it_is() -> None:
    for path in (ROOT / "dq").rglob("*.py"):
        line = first_line(path)
        assert line.endswith((".", ":", "?")), f"{path}: its docstring's first line is no sentence: {line!r}"
