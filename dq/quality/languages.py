"""What rules know of languages: FineWeb-2's thresholds, and stop words, a line a language.

Thresholds: FineWeb-2 (Penedo et al. 2025), github.com/huggingface/fineweb-2, ``configs/<code>.yml``: what its filters
had for the language. Stop words: those of the words that FineWeb-2 found most frequent that spaCy's lists of stop
words (MIT licence) have too. English: FineWeb's and Gopher's own. Words are as dq splits them, where FineWeb-2 had a
tokenizer a language; languages without spaces between words have no line.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dq.arrays import I64, U64
from dq.text import hash_of

# FineWeb-2's code (as GlotLID labels), lid.176's; language score; share of duplicate lines; of the most frequent 2-,
# 3-, 4-gram; of duplicate 5- to 10-grams; lines that end in punctuation; newlines a word; mean word length from, to;
# words with a letter; below, the stop words
_TABLE = """
eng_Latn en .65 .3 .2 .18 .16 .15 .14 .13 .12 .11 .1 .12 .3 3 10 .8
  the be to of and that have with
deu_Latn de .821 .263 .169 .153 .137 .141 .134 .126 .117 .108 .098 0 .152 0 15 .774
  der und die in von im den des mit das er dem als wurde für
fra_Latn fr .824 .264 .161 .149 .134 .15 .141 .131 .121 .111 .1 .1 .185 2 11 .812
  de la le et à en des du les est un une il dans par au
spa_Latn es .84 .252 .156 .14 .125 .145 .136 .127 .117 .108 .099 .182 .138 3 14 .825
  de la en el y a que del los se por un con una las su
ita_Latn it .817 .246 .198 .156 .133 .144 .136 .127 .118 .109 .1 .025 .2 3 21 .807
  di e il la in a del che è della un per nel con da una
por_Latn pt .799 .287 .371 .191 .163 .163 .153 .141 .13 .119 .108 .077 .186 3 13 .814
  de a e o em do da que um no uma com para na é foi
nld_Latn nl .689 .296 .213 .182 .158 .156 .146 .136 .126 .115 .104 .102 .154 3 17 .828
  de van in het een en is op voor met door zijn werd hij uit
pol_Latn pl .689 .32 .222 .198 .176 .172 .16 .148 .136 .123 .111 .087 .158 3 12 .726
  w i na z do się roku od a jest przez po jako oraz o został był nie
rus_Cyrl ru .9 .322 .184 .164 .146 .168 .156 .145 .133 .121 .109 .231 .139 3 11 .713
  в и на с по из был к не от что за для его как а он также до после
ukr_Cyrl uk .9 .3 .189 .172 .153 .16 .148 .136 .124 .113 .102 .167 .175 3 11 .694
  у в на і з та до року за що
ces_Latn cs .88 .311 .206 .183 .165 .168 .157 .145 .133 .121 .109 .06 .182 3 11 .781
  v a se na je z s do
swe_Latn sv .629 .292 .242 .195 .174 .156 .147 .136 .125 .116 .105 .2 .135 3 12 .841
  i och av en som den med på till att för
dan_Latn da .3 .305 .367 .297 .232 .169 .158 .147 .134 .123 .112 .1 .182 3 11 .798
  i og af en til er den at som på for med det blev var der fra de han et
fin_Latn fi .764 .293 .253 .202 .179 .153 .143 .133 .122 .112 .101 .114 .161 3 14 .755
  ja on oli hän myös joka se ei sen ovat sekä mutta että tai vuoden kanssa hänen jälkeen
ell_Grek el .826 .31 .194 .175 .156 .174 .163 .153 .142 .13 .119 .167 .116 3 11 .809
  του και το της η την από ο με τον να που των στην για στο σε είναι τη τα οι
hun_Latn hu .744 .322 .226 .198 .172 .169 .159 .148 .136 .124 .112 .067 .231 3 15 .766
  a az és is egy volt hogy nem meg de el között
ron_Latn ro .822 .289 .161 .146 .131 .16 .149 .138 .127 .117 .106 .081 .207 1 14 .779
  de în a și din la o cu este un pe fost care al
arb_Arab ar .711 .304 .197 .172 .146 .165 .153 .142 .131 .12 .109 .143 .189 2 9 .787
  في من على إلى أن مع أو هو عن التي كان بين ما كانت هي بعد
hin_Deva hi .692 .206 .208 .198 .161 .135 .125 .116 .108 .099 .09 .091 .316 2 21 .837
  के में है की और से का को एक हैं पर
ind_Latn id .685 .241 .194 .166 .145 .166 .155 .144 .133 .122 .111 .111 .157 3 12 .805
  dan yang di pada dari ini dengan adalah untuk dalam
bul_Cyrl bg .9 .317 .173 .157 .139 .17 .158 .144 .131 .12 .108 .154 .142 3 10 .756
  на и в е от за се с през да по
"""
_COLUMNS = (
    "language_score",
    "duplicate_line_fraction",
    *(f"top_{n}_gram_char_fraction" for n in (2, 3, 4)),
    *(f"duplicate_{n}_gram_char_fraction" for n in range(5, 11)),
    "terminal_punctuation_line_fraction",
    "newline_to_word_ratio",
    "shortest_words",
    "longest_words",
    "alphabetic_word_fraction",
)


@dataclass(frozen=True)
class Language:
    """A language by the two codes that models call it by, its thresholds by signal, and its stop words."""

    codes: tuple[str, str]
    thresholds: Mapping[str, float]
    stop_words: tuple[str, ...]


@functools.cache
def languages() -> tuple[Language, ...]:
    """All languages of the table."""
    found, lines = [], _TABLE.strip().splitlines()
    for numbers, words in zip(lines[::2], lines[1::2], strict=True):
        glotlid, lid_176, *values = numbers.split()
        thresholds = dict(zip(_COLUMNS, map(float, values), strict=True))
        found.append(Language((glotlid, lid_176), thresholds, tuple(words.split())))
    return tuple(found)


def by_language(column: str) -> dict[str, float]:
    """A threshold by label, under both codes of each language."""
    return {code: one.thresholds[column] for one in languages() for code in one.codes}


@functools.cache
def stop_word_lists() -> tuple[dict[str, int], U64, I64]:
    """The list of each label; the hashes of all words, list after list, sorted in each; where the lists begin."""
    lists = [sorted(map(_hash, one.stop_words)) for one in languages()]
    labels = {code: number for number, one in enumerate(languages()) for code in one.codes}
    starts = np.cumsum([0, *map(len, lists)])
    return labels, np.array([key for one in lists for key in one], np.uint64), starts.astype(np.int64)


def _hash(word: str) -> int:
    return int(hash_of(np.frombuffer(word.encode(), np.uint8)))
