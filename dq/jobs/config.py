"""A batch job: input, held-out sets, deduplication, rules, tokenizer."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from dq.config import StrictModel
from dq.corpus import InputSpec, ReadConfig
from dq.dedup import DedupConfig
from dq.errors import ConfigError
from dq.heldout import HeldoutConfig
from dq.jobs.models import RESERVED
from dq.quality import LearnedOptions, QuantileRule, RuleSet, all_signals, presets
from dq.quality.registry import signal
from dq.quality.rules import AnyRule
from dq.tokens import TokenizerConfig

__all__ = ["DedupJobConfig", "JobConfig", "LearnedConfig", "QualityConfig"]


class LearnedConfig(StrictModel):
    """A classifier of the text one wants against the corpus at hand, trained by the job; its score is a signal."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """The signal's name."""
    wanted: tuple[InputSpec, ...] = Field(min_length=1)
    """Examples of the text one wants; they teach the classifier and are in no variant."""
    max_documents: int = Field(default=20_000, ge=100)
    """Documents of either side to train on."""
    options: LearnedOptions = LearnedOptions()
    """How it is trained."""


class QualityConfig(StrictModel):
    """Which rules judge the documents: a preset's, one's own, or both together."""

    preset: str | None = None
    """A rule set by name; without one and without `rules`, the quickstart's."""
    rules: tuple[AnyRule, ...] = ()
    """Rules of one's own, judged after the preset's; a quantile rule ranks the whole corpus, by `source` or in all."""
    learned: LearnedConfig | None = None
    """A classifier to train, whose name is a signal for the rules."""

    @property
    def rule_set(self) -> RuleSet:
        """All rules."""
        if self.preset is None and self.rules:
            return RuleSet(name="rules", rules=self.rules)
        preset = presets.preset(self.preset or "quickstart")
        return RuleSet(name=preset.name, rules=(*preset.rules, *self.rules))

    @field_validator("preset")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in presets.presets():
            raise ValueError(f"no preset `{name}`; there are {', '.join(sorted(presets.presets()))}")
        return name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        learned = self.learned.name if self.learned else None
        if learned in all_signals():
            raise ValueError(f"learned.name: `{learned}` is a signal of dq; choose another name")
        if learned in RESERVED:
            raise ValueError(f"learned.name: `{learned}` is a column of dq's tables; choose another name")
        for rule in self.rules:
            if rule.signal != learned and rule.signal not in all_signals():
                raise ValueError(f"rule `{rule.reason}`: unknown signal `{rule.signal}`; `dq signals` lists them")
            if isinstance(rule, QuantileRule) and rule.per not in (None, "source"):
                raise ValueError(f"rule `{rule.reason}`: per: {rule.per}: documents are ranked per `source`, or null")
        if learned is not None and learned not in {rule.signal for rule in self.rules}:
            raise ValueError(f"learned.name: no rule uses `{learned}`; add one, or leave `learned` out")
        reasons = [rule.reason for rule in (*(presets.preset(self.preset).rules if self.preset else ()), *self.rules)]
        if len(set(reasons)) < len(reasons):
            raise ValueError("two rules give one reason, of the preset's included; reasons must differ")
        return self


class DedupJobConfig(DedupConfig):
    """Deduplication, which of the duplicates stays, and how much may go."""

    keep: str = "longest"
    """Policy: `longest`, `best:SIGNAL`, `earliest:FIELD`, `prefer:SOURCE,SOURCE`. Ties: content key, source, id."""
    max_removed_fraction: float = Field(default=0.5, ge=0, le=1)
    """Share of a source's documents past which their removal stops the job."""
    allow_removal: tuple[str, ...] = ()
    """Sources that may lose any share."""

    @property
    def method(self) -> DedupConfig:
        """What counts as a duplicate, without the policy and the guard."""
        return DedupConfig(**self.model_dump(exclude={"keep", "max_removed_fraction", "allow_removal"}))

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that the policy needs."""
        kind, _, name = self.keep.partition(":")
        return (name,) if kind == "best" else ()

    @field_validator("keep")
    @classmethod
    def _policy(cls, keep: str) -> str:
        kind, _, name = keep.partition(":")
        names = [part.strip() for part in name.split(",")] if kind == "prefer" else [name.strip()]
        named = kind in ("best", "earliest", "prefer") and all(names)
        if keep != "longest" and not named:
            raise ValueError("use `longest`, `best:SIGNAL`, `earliest:FIELD` or `prefer:SOURCE,SOURCE`")
        if kind == "best":
            try:
                signal(name)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return keep


class JobConfig(StrictModel):
    """Everything `dq run` needs to make a workspace."""

    workspace: str = "dq-workspace"
    """Folder of the results, relative to the current folder."""
    input: tuple[InputSpec, ...] = Field(min_length=1)
    """The corpus: files and samples."""
    read: ReadConfig = ReadConfig()
    """How rows become documents."""
    heldout: HeldoutConfig = HeldoutConfig()
    """Which documents measure the models."""
    dedup: DedupJobConfig = DedupJobConfig()
    """Near-duplicates."""
    quality: QualityConfig = QualityConfig()
    """Rules."""
    tokenizer: TokenizerConfig = TokenizerConfig()
    """The tokenizer."""
