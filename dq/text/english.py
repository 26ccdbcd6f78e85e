"""English chunks that are split, or kept whole, against the rules: contractions, abbreviations, emoticons, times.

The list is spaCy's (3.8, MIT, Explosion AI; `lang/en/tokenizer_exceptions.py`, `lang/tokenizer_exceptions.py`), made
from its parts. Only `unicode` words use it; other languages meet it only where they share a spelling.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np

from dq.text.kernels.affixes import BLOOM_BITS, IS_SPECIAL, IS_UNIT, LEXICON_SIZE, MERGES, PAIRS_AT, SLOTS
from dq.text.kernels.hash import hash_of
from dq.text.word_roles import ALPHA, DOT_AFTER, ICON, LOWER, PREFIX, SUFFIX, UPPER, roles

__all__ = ["lexicon", "merges", "special_cases", "units"]

WHOLE = r"""
' \") <space> '' C++ — \t \n
Adm. Ak. Ala. Apr. Ariz. Ark. Aug. Bros. Calif. co. Co. Colo. Conn. Corp. D.C. Dec. Del. Dr. E.G. E.g. e.g. Feb. Fla.
Ga. Gen.
Gov. i.e. I.e. I.E. Ia. Id. Ill. Inc. Ind. Jan. Jr. Jul. Jun. Kan. Kans. Ky. La. Ltd. Mar. Mass. Md. Messrs. Mich.
Minn. Miss. Mo. Mont. Mr. Mrs. Ms. Mt. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. Ph.D.
Prof. Rep. Rev. S.C. Sen. Sep. Sept. St. Tenn. Va. Wash. Wis. a.m. p.m. vs. v.s.
a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. s. t. u. v. w. x. y. z. ä. ö. ü.
'S 's ‘S ‘s 'd 're 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout em 'em ll 'll nuff 'nuff
and/or w/o ma'am Ma'am o'clock O'clock
doin doin' Doin Doin' goin goin' Goin Goin' nothin nothin' Nothin Nothin' nuthin nuthin' Nuthin Nuthin' ol ol' Ol Ol'
somethin somethin' Somethin Somethin' lovin lovin' Lovin Lovin' havin havin' Havin Havin'
:) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-) (; (-; :( :-( :(( :-((
:((( :-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O :o :-o :0 :-0 :() >:o :*
:-* :3 :-3 =3 :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.< ._. ;_; -_- -__-
v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33 <333 </3 (^_^) (-_-) (._.) (>_<)
(*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*>
"""
SPLIT = """
y'+all y+all how+'d+'y How+'d+'y not+'ve not+ve Not+'ve Not+ve can+not Can+not gon+na Gon+na got+ta Got+ta let+'s Let+'s
c'm+on C'm+on I+'m i+'m I+m i+m I+'m+a i+'m+a I+m+a i+m+a
°+c+. °+f+. °+k+. °+C+. °+F+. °+K+.
"""
WORDS = {
    "pronoun": "i you he she it we they",
    "question": "who what when where why how there that this these those",
    "verb": "ca could do does did had may might must need ought sha should wo would",
    "auxiliary": "ai are is was were have has dare",
}
# word, the endings it takes; "+" parts pieces; each ending also without its apostrophes
ENDINGS = (
    (WORDS["pronoun"], "'ll 'll+'ve 'd 'd+'ve"),
    ("i you we they", "'ve"),
    ("you we they", "'re"),
    ("he she it", "'s"),
    (WORDS["question"], "'ll 'll+'ve 'd 'd+'ve"),
    ("who what when where why how there that this", "'s"),
    ("who what when where why how there these those", "'re 've"),
    (WORDS["verb"], "n't n't+'ve"),
    ("could might must should would", "'ve"),
    (WORDS["auxiliary"], "n't"),
)
EXCLUDED = "Ill ill Its its Hell hell Shell shell Shed shed were Were Well well Whore whore"
UNITS = """
km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa mbar mb
MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с км/ч кПа Па мбар Кб КБ
кб Мб МБ мб Гб ГБ гб Тб ТБ тбكم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم كغ ملغ كوب اكواب
"""


@functools.cache
def special_cases() -> dict[str, tuple[str, ...]]:
    """Every special chunk and the words it is made of."""
    cases: dict[str, tuple[str, ...]] = {whole: (whole,) for whole in WHOLE.split()}
    for text in SPLIT.split():
        cases[text.replace("+", "")] = tuple(text.split("+"))
    for words, endings in ENDINGS:
        for word, ending in itertools.product(words.split(), endings.split()):
            for head, tail in itertools.product((word, word.title()), (ending, ending.replace("'", ""))):
                pieces = (head, *tail.split("+"))
                cases["".join(pieces)] = pieces
    for hour, period in itertools.product(range(1, 13), ("a.m.", "am", "p.m.", "pm")):
        cases[f"{hour}{period}"] = (str(hour), period)
    for excluded in EXCLUDED.split():
        cases.pop(excluded, None)
    typographic = {
        text.replace("'", "’"): tuple(piece.replace("'", "’") for piece in pieces) for text, pieces in cases.items()
    }
    return typographic | cases


def units() -> list[str]:
    """Units of measurement cut off after a digit (two run together in the source, and here)."""
    return UNITS.split()


@functools.cache
def lexicon() -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Special chunks and units as the open-addressing table that ``kernels.affixes.look_up`` reads.

    uint64: SLOTS keys (hashes), SLOTS values, a Bloom filter, first pairs of bytes. A value is 0 where a slot is empty;
    bits 0-2 are the number of pieces, six bits each from bit 3 their bytes; then IS_SPECIAL, IS_UNIT, MERGES.
    """
    table = np.zeros(LEXICON_SIZE, np.uint64)
    for text, pieces in special_cases().items():
        value = int(IS_SPECIAL) | len(pieces) | (int(MERGES) if merges(text) else 0)
        for k, piece in enumerate(pieces):
            value |= len(piece.encode()) << (3 + 6 * k)
        _add(table, text, value)
        raw = text.encode() if merges(text) else b""
        for second in raw[1:]:
            pair = raw[0] << 8 | second
            table[PAIRS_AT + pair // 64] |= np.uint64(1 << pair % 64)
    for text in units():
        _add(table, text, int(IS_UNIT))
    table.setflags(write=False)
    return table


def _add(table: np.ndarray[Any, np.dtype[np.uint64]], text: str, value: int) -> None:
    data = np.frombuffer(text.encode(), np.uint8)
    key = int(hash_of(data))
    slot = key % SLOTS
    while table[SLOTS + slot] and int(table[slot]) != key:
        slot = (slot + 1) % SLOTS
    table[slot] = key
    table[SLOTS + slot] |= np.uint64(value)
    bit = key >> 32 & (BLOOM_BITS - 1)
    table[2 * SLOTS + bit // 64] |= np.uint64(1 << bit % 64)


def merges(text: str) -> bool:
    """Whether spaCy also finds the special case among words already split: where the plain rules would split it."""
    table = roles()
    codes = [int(table[ord(char)]) for char in text]
    if codes[0] & (PREFIX | ICON) or codes[-1] & (SUFFIX | ICON) or text[-2:] in ("'s", "'S", "’s", "’S"):
        return True
    if text.endswith(".") and len(text) > 1 and codes[-2] & DOT_AFTER:
        return True
    triples = zip(codes, text[1:], codes[2:], strict=False)
    return any((c == "." and a & LOWER and b & UPPER) or (c in "/-" and b & ALPHA) for a, c, b in triples)
