"""A batch job: input, held-out sets, deduplication, rules, tokenizer."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from dq.cards import CardConfig
from dq.config import FieldFault, StrictModel
from dq.corpus import InputSpec, ReadConfig
from dq.errors import nearest
from dq.quality import QuantileRule, RuleSet, all_signals, presets
from dq.quality.rule_kinds import AnyRule
from dq.quality.rules import check_rule
from dq.quality.scorers.files import RESERVED
from dq.quality.urls import UrlRules
from dq.stages.base import ORIGINAL, TextVersions
from dq.stages.cleaned import CleanConfig
from dq.stages.contamination import DecontaminateConfig
from dq.stages.heldout import HeldoutConfig
from dq.stages.learned import LearnedConfig
from dq.stages.selection import DeduplicationConfig
from dq.stages.tokenizer import TokenizerConfig


class QualityConfig(StrictModel):
    """Which rules judge the documents: a preset's, one's own, or both together."""

    preset: str | None = None
    """A rule set by name; without one and without `rules`, the quickstart's."""
    rules: tuple[AnyRule, ...] = ()
    """Rules of one's own, judged after the preset's; a quantile rule ranks the whole corpus, by `source` or in all."""
    urls: UrlRules | None = None
    """Rules about the documents' addresses, which judge too."""
    learned: LearnedConfig | None = None
    """A classifier to train, whose name is a signal for the rules."""
    any_script: bool = False
    """Whether rules made for words, spaces or English judge Chinese, Thai and other scripts without spaces too."""

    @property
    def rule_set(self) -> RuleSet:
        """All rules."""
        if self.preset is None and self.rules:
            found = RuleSet(name="rules", rules=self.rules, urls=self.urls)
        else:
            preset = presets.preset(self.preset or "quickstart")
            found = RuleSet(name=preset.name, rules=(*preset.rules, *self.rules), urls=self.urls)
        return found.for_any_script() if self.any_script else found

    @field_validator("preset")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in (known := presets.presets()):
            raise ValueError(nearest(name, known, what="preset"))
        return name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        learned = self.learned.name if self.learned else None
        if learned in all_signals():
            raise FieldFault(f"`{learned}` is a signal of dq; choose another name", "learned", "name")
        if learned in RESERVED:
            raise FieldFault(f"`{learned}` is a column of dq's tables; choose another name", "learned", "name")
        for at, rule in enumerate(self.rules):
            check_rule(rule, "rules", at, models=(learned,) if learned else ())
            if isinstance(rule, QuantileRule) and rule.per not in (None, "source") and not rule.by_label:
                ways = "per `source`, `language` or null"
                message = f"rule `{rule.reason}`: documents are ranked {ways} (got {rule.per!r})"
                raise FieldFault(message, "rules", at, "per")
        if learned is not None and learned not in {rule.signal for rule in self.rules}:
            raise FieldFault(f"no rule uses `{learned}`; add one, or leave `learned` out", "learned", "name")
        reasons = [rule.reason for rule in (presets.preset(self.preset).rules if self.preset else ())]
        for at, rule in enumerate(self.rules):
            if rule.reason in reasons:
                message = f"two rules give the reason `{rule.reason}`, of the preset's included; reasons must differ"
                raise FieldFault(message, "rules", at, "reason")
            reasons.append(rule.reason)
        return self


class JobConfig(StrictModel):
    """Everything `dq run` needs to make a workspace."""

    workspace: str = "dq-workspace"
    """Folder of the results, relative to the current folder."""
    input: tuple[InputSpec, ...] = Field(min_length=1)
    """The corpus: files and samples."""
    read: ReadConfig = ReadConfig()
    """How rows become documents."""
    clean: tuple[CleanConfig, ...] = ()
    """Cleaners, in order: each makes a text version under the same ids."""
    texts: TextVersions = TextVersions()
    """Which version of the text is judged, deduplicated and trained on."""
    decontaminate: DecontaminateConfig | None = None
    """Benchmarks whose items must not stand in what is trained on."""
    heldout: HeldoutConfig = HeldoutConfig()
    """Which documents measure the models."""
    dedup: DeduplicationConfig = DeduplicationConfig()
    """Near-duplicates."""
    quality: QualityConfig = QualityConfig()
    """Rules."""
    tokenizer: TokenizerConfig = TokenizerConfig()
    """The tokenizer."""
    card: CardConfig = CardConfig()
    """What the dataset cards of its exports say: licences of sources, languages."""

    @property
    def excludes_benchmarks(self) -> bool:
        """Whether documents that hold items of benchmarks are kept away from training."""
        return self.decontaminate is not None and self.decontaminate.drop

    @model_validator(mode="after")
    def _versions_exist(self) -> Self:
        made = [ORIGINAL]
        for at, one in enumerate(self.clean):
            if one.of not in made:
                raise FieldFault(nearest(one.of, made, what="text version"), "clean", at, "of")
            if one.version in made:
                message = f"two cleaners make the version `{one.version}`; give one another name"
                raise FieldFault(message, "clean", at, "version")
            made.append(one.version)
        for role, version in self.texts.model_dump().items():
            if version not in made:
                raise FieldFault(nearest(version, made, what="text version"), "texts", role)
        return self
