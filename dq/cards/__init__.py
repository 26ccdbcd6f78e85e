"""What folders of documents say of themselves to whoever gets them: a dataset card and Croissant metadata."""

from dq.cards.config import CardConfig, read_card_config, write_card_config
from dq.cards.croissant import CROISSANT, croissant
from dq.cards.facts import Column, Facts, Section, Source, Split
from dq.cards.markdown import named
from dq.cards.readme import README
from dq.cards.sections import deduplication_section, rules_section
from dq.cards.write import write_cards

__all__ = [
    "CROISSANT",
    "README",
    "CardConfig",
    "Column",
    "Facts",
    "Section",
    "Source",
    "Split",
    "croissant",
    "deduplication_section",
    "named",
    "read_card_config",
    "rules_section",
    "write_card_config",
    "write_cards",
]
