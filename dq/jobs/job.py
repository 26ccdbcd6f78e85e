"""A batch job: input, held-out sets, deduplication, rules, tokenizer."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from dq.cards import CardConfig
from dq.config import FieldFault, StrictModel
from dq.corpus import InputSpec, ReadConfig
from dq.errors import DqError, nearest
from dq.quality import QuantileRule, RuleSet, all_signals, presets
from dq.quality.rule_kinds import AnyRule
from dq.quality.rules import check_rule
from dq.quality.scorers.files import LANGUAGE, RESERVED, ModelFile
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
    models: tuple[str, ...] = ()
    """Models as signals for the rules, as `--model` of `dq filter` takes them: `NAME=FILE`, `language=FILE.bin`."""
    any_script: bool = False
    """Whether rules made for words, spaces or English judge Chinese, Thai and other scripts without spaces too."""

    @property
    def model_files(self) -> tuple[ModelFile, ...]:
        """The models, by files; workers may stand in other folders."""
        return tuple(replace(one, path=one.path.absolute()) for one in map(ModelFile.parse, self.models))

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

    @property
    def own_modules(self) -> tuple[str, ...]:
        """The format of models' files."""
        return ("safetensors",) if any(one.path.suffix == ".safetensors" for one in self.model_files) else ()

    @field_validator("models")
    @classmethod
    def _are_models(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        for at, text in enumerate(models):
            try:
                name = ModelFile.parse(text).name
            except DqError as error:
                raise FieldFault(str(error), at) from None
            if name in [ModelFile.parse(other).name for other in models[:at]]:
                raise FieldFault(f"two models are named `{name}`; give one another name", at)
            if name in all_signals() and name != LANGUAGE:
                raise FieldFault(f"`{name}` is a signal of dq; choose another name", at)
        return models

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        learned = self.learned.name if self.learned else None
        if learned in all_signals():
            raise FieldFault(f"`{learned}` is a signal of dq; choose another name", "learned", "name")
        if learned in RESERVED:
            raise FieldFault(f"`{learned}` is a column of dq's tables; choose another name", "learned", "name")
        own = {one.name: one.names for one in self.model_files}
        if learned in own:
            raise FieldFault(f"`{learned}` is one of `models` too; choose another name", "learned", "name")
        for at, rule in enumerate(self.rules):
            check_rule(rule, "rules", at, models=(*own, *((learned,) if learned else ())))
            if isinstance(rule, QuantileRule) and rule.per not in (None, "source") and not rule.by_label:
                ways = "per `source`, `language` or null"
                message = f"rule `{rule.reason}`: documents are ranked {ways} (got {rule.per!r})"
                raise FieldFault(message, "rules", at, "per")
        reasons = [rule.reason for rule in (presets.preset(self.preset).rules if self.preset else ())]
        for at, rule in enumerate(self.rules):
            if rule.reason in reasons:
                message = f"two rules give the reason `{rule.reason}`, of the preset's included; reasons must differ"
                raise FieldFault(message, "rules", at, "reason")
            reasons.append(rule.reason)
        read = self.rule_set.signals()
        for at, columns in enumerate(own.values()):
            if not set(columns).intersection(read):
                raise FieldFault(f"no rule uses `{columns[0]}`; add one, or leave the model out", "models", at)
        if learned is not None and learned not in read:
            raise FieldFault(f"no rule uses `{learned}`; add one, or leave `learned` out", "learned", "name")
        return self


class JobConfig(StrictModel):
    """Everything `dq run` needs to make a workspace."""

    elsewhere: ClassVar = {"variants": "this is a study, not a job; `dq ablate` is its command"}

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
    def signals(self) -> tuple[str, ...]:
        """What rules and deduplication read of documents, each once."""
        return tuple(dict.fromkeys((*self.quality.rule_set.signals(), *self.dedup.signals)))

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
