"""English function words: articles, pronouns, auxiliaries, prepositions, conjunctions, common particles.

Closed word classes, compiled for this project; English only. Gopher's own eight stop words are apart because the rule
counts how many *different* ones occur (Rae et al. 2021, appendix A.1.1).
"""

from __future__ import annotations

__all__ = ["ENGLISH_FUNCTION_WORDS", "GOPHER_STOP_WORDS"]

GOPHER_STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")

_TEXT = """
a an the this that these those each every either neither some any no all both half such what which whatever whichever
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
it its itself they them their theirs themselves who whom whose one ones oneself
am is are was were be been being have has had having do does did doing will would shall should can could may might must
ought
about above across after against along among around as at before behind below beneath beside besides between beyond by
despite down during except for from in inside into like near of off on onto out outside over past since than through
throughout till to toward towards under until unto up upon via with within without
and but or nor so yet if though although because unless while whereas whether when where why how
not there here then thus too very just only also again once more most much many few little less least other another same
own even still
"""
ENGLISH_FUNCTION_WORDS = tuple(_TEXT.split())
