"""Wrong values given to a model in Python are one line, of whatever model."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

import dq
from dq.config import StrictModel
from dq.errors import ConfigError

ROOT = Path(dq.__file__).parent


def models() -> list[type[StrictModel]]:
    """Every model that a file of dq defines."""
    found: list[type[StrictModel]] = []
    for path in sorted(ROOT.rglob("*.py")):
        if re.search(r"\((Strict|Sparse)Model", path.read_text("utf-8")):
            module = importlib.import_module(".".join(("dq", *path.relative_to(ROOT).with_suffix("").parts)))
            named = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, StrictModel)]
            found += [one for one in named if one.__module__ == module.__name__ and not inspect.isabstract(one)]
    return found


MODELS = models()
by_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)


def refused(model: type[StrictModel], **values: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        model(**values)
    assert str(caught.value).startswith(f"{model.__name__}: ")
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_models_are_found() -> None:
    assert {"DedupConfig", "RuleSet", "Rule", "TrainingConfig", "JobConfig", "StudyConfig"} <= {
        m.__name__ for m in MODELS
    }


class Odd:
    """Something that no field takes."""

    def __repr__(self) -> str:
        return "odd\nand long" * 50


@by_model
def test_an_unknown_key_is_one_line_that_names_it(model: type[StrictModel]) -> None:
    error = refused(model, zzz_no_such_key=1)
    assert "unknown key `zzz_no_such_key`" in str(error)
    assert error.field == "zzz_no_such_key"


@by_model
def test_a_wrong_value_is_one_line_that_names_its_field(model: type[StrictModel]) -> None:
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    for name in model.model_fields:
        if set(required) - {name} or "Any" in str(model.model_fields[name].annotation):
            continue  # what is missing is named before
        error = refused(model, **{name: Odd()})
        assert error.field == name
        assert re.search(rf"`{name}\b", str(error))
    if required:
        assert f"`{required[0]}` is missing" in str(refused(model))


def test_what_is_asked_for_is_in_the_line() -> None:
    assert "less than or equal to 1 (got 2)" in str(refused(dq.dedup.DedupConfig, threshold=2))
    rule = dq.quality.Rule(signal="word_count", minimum=1, reason="r")
    twice = refused(dq.quality.RuleSet, name="mine", rules=(rule, rule))
    assert "`rules.1.reason`: rule set `mine` gives the reason `r` twice" in str(twice)
    assert twice.field == "rules"


def test_models_within_others_are_refused_with_the_whole_place() -> None:
    with pytest.raises(ConfigError, match=r"`rules\.0\..*minimum`.*\(got 'few'\)"):
        dq.quality.RuleSet(name="mine", rules=({"signal": "word_count", "minimum": "few", "reason": "r"},))  # type: ignore[arg-type]
