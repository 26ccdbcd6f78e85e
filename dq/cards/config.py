"""What only people know of a dataset: licences of its sources and languages. What nobody says is said to be unknown."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from pydantic import Field

from dq.config import StrictModel
from dq.errors import ConfigError, WorkspaceError, listed
from dq.store import Workspace, read_json, write_json_atomic

FILE = "card.json"
UNKNOWN = "unknown"

Licence = Annotated[str, Field(min_length=1, max_length=200)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class CardConfig(StrictModel):
    """What cards of datasets say that documents do not."""

    licences: dict[str, Licence] = Field(default_factory=dict)
    """The licence of each source, best by its SPDX name, such as `ODC-By-1.0`; of others it is unknown."""
    languages: tuple[Language, ...] = ()
    """Codes of the languages, such as `en`."""

    def licence(self, source: str) -> str:
        """Of a source."""
        return self.licences.get(source, UNKNOWN)

    def warnings(self, sources: Collection[str], *, field: str = "licences") -> list[str]:
        """A line where licences are given of what is none of the sources.

        Args:
            sources: of the corpus.
            field: where the licences stand in the user's file.
        """
        unmet = [name for name in self.licences if name not in sources]
        return [f"`{field}` names what is no source of the corpus: {listed(unmet)}"] if unmet else []


def write_card_config(workspace: Workspace, config: CardConfig) -> None:
    """Keep it beside the results of a job, of which no stage is made from it: another licence repeats no work."""
    if config == CardConfig():
        (workspace.root / FILE).unlink(missing_ok=True)
    else:
        write_json_atomic(workspace.root / FILE, config.model_dump(mode="json"))


def read_card_config(workspace: Workspace) -> CardConfig:
    """What the job said that finished last.

    Raises:
        WorkspaceError: the file is damaged.
    """
    if not (path := workspace.root / FILE).exists():
        return CardConfig()
    found = read_json(path)
    try:
        return CardConfig(**{**found, "languages": tuple(found.get("languages", ()))})
    except (ConfigError, TypeError):
        raise WorkspaceError(f"{path}: not what a job wrote there; run the job again") from None
