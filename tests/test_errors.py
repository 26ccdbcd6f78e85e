"""What an error carries, and the one sentence about a name that does not exist."""

from __future__ import annotations

import pickle
import traceback

import pytest

from dq import errors
from dq.errors import ConfigError, DqError, nearest

SIGNALS = ["char_count", "word_count", "line_count"]


def test_a_near_name_is_offered_whatever_its_case() -> None:
    assert nearest("wordcount", SIGNALS, what="signal") == "unknown signal `wordcount`; did you mean `word_count`?"
    assert nearest("WORD_COUNT", SIGNALS, what="signal").endswith("did you mean `word_count`?")


def test_where_none_is_near_the_message_lists_what_there_is() -> None:
    message = nearest("perplexity", SIGNALS, what="signal")
    assert message == "unknown signal `perplexity`; there are char_count, word_count, line_count"
    assert nearest("web", ["in"], what="source") == "unknown source `web`; there is in"
    assert nearest("web", [], what="source") == "unknown source `web`; there is none"


def test_long_names_and_long_lists_are_shortened() -> None:
    message = nearest("!" * 500, [f"source-{n:04}" for n in range(1000)], what="source")
    assert len(message) < 350
    assert message.endswith(" more")
    shown = message.partition("there are ")[2].rpartition(" and ")[0].split(", ")
    assert message.endswith(f" and {1000 - len(shown)} more")


@pytest.mark.parametrize("name", [name for name in vars(errors) if name.endswith("Error")])
def test_errors_keep_message_and_field_on_the_way_out_of_a_worker(name: str) -> None:
    error: DqError = getattr(errors, name)("what, where, remedy", field="memory")
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), back.field) == (type(error), "what, where, remedy", "memory")
    assert ConfigError("no field").field is None


def test_a_traceback_names_the_argument_that_a_message_does_not() -> None:
    assert "(`memory`)" in "".join(traceback.format_exception(ConfigError("too small (got 1)", field="memory")))
    assert not hasattr(ConfigError("raise `memory`", field="memory"), "__notes__")
