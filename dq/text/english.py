"""How English is split into words: the role of each character, and the chunks that go against the rules.

Source: spaCy 3.8 (MIT, Explosion AI), `lang/char_classes.py` and `lang/punctuation.py` for the roles; the contractions,
abbreviations, emoticons and times of `lang/en/tokenizer_exceptions.py` and `lang/tokenizer_exceptions.py`, made from
their parts, for the special cases. datatrove splits English with them, so Gopher's and FineWeb's counts depend on them.
They are lists, not Unicode categories, and are kept as they are: a letter outside the listed scripts does not split at
a hyphen, an emoji younger than Unicode 11 is not cut off. Only `unicode` words use them; other languages meet the
special cases only where they share a spelling.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata

import numpy as np

from dq.arrays import U16, U64
from dq.text.characters import CODE_POINTS, character_classes, code_points
from dq.text.kernels.affixes import BLOOM_BITS, IS_SPECIAL, IS_UNIT, LEXICON_SIZE, MERGES, PAIRS_AT, SLOTS
from dq.text.kernels.flags import (
    ALPHA,
    CURRENCY,
    DOT_AFTER,
    ICON,
    INERT,
    LOWER_OR_UNCASED,
    PREFIX,
    QUOTE,
    SPACE,
    SUFFIX,
    UPPER_OR_UNCASED,
)
from dq.text.kernels.hash import hash_of

UNCASED_RANGES = """
0591-05F4 0620-064A 066E-06D5 06E5-06FF 0750-077F 08A0-08BD 0900-09FF 0B80-0CFF 0D80-0DFF 1100-137F 2E80-2FDF 2FF0-30FF
31C0-31EF 3200-4DBF 4E00-9FFF AC00-D7AF F900-FAFF FB1D-FBB1 FBD3-FD3D FD50-FDC7 FDF0-FDFB FE30-FE4F FE70-FEFC
1EE00-1EEBB 1F200-1F2FF 20000-2A6DF 2A700-2EBEF 2F800-2FA1F
"""
# Latin with its extensions, Greek, and the Cyrillic letters of four languages; case by Unicode category.
CASED_RANGES = """
0041-005A 0061-007A 00C0-00D6 00D8-00F6 00F8-01BF 01C4-02AF 0386 0388-038A 038C 038E-038F 0391-03A9 03AC-03AF 03B1-03C9
03CC-03CE 0400-0401 0403-040A 040C-040D 0410-0451 0453-045A 045C-045D 0490-0491 0496-0497 04A2-04A3 04AE-04AF 04BA-04BB
04D8-04D9 04E8-04E9 1D00-1D25 1D6B-1D77 1D79-1D9A 1E00-1EFF 2C60-2C7B 2C7E-2C7F A722-A76F A771-A787 A78B-A78E A790-A7B9
A7FA AB30-AB5A AB60-AB64 FF21-FF3A FF41-FF5A
"""
GLOTTAL_STOP = 0x0294  # category Lo, yet listed as lower case
QUOTE_RANGES = """
0022 0027 002C 0060 00AB 00B4 00BB 2018-201A 201C-201E 2329-232A 27E6-27E7 3008-3011 3014-3015 FF08-FF09
"""
PREFIX_RANGES = """
0021-002C 003A-003F 005B 005D 005F-0060 007B 007D 00A1 00A3 00A5 00A7 00AB 00B4 00B7 00BB 00BF 060C 061B 061F 066A 06D4
0964 0E3F 2013-2014 2018-201A 201C-201E 2026 20A0-20BF 2329-232A 27E6-27E7 3001-3002 3008-3011 3014-3015 FDFC FF01
FF08-FF09 FF0C FF1A-FF1B FF1F FF5E
"""
SUFFIX_RANGES = """
0021-0023 0026-002A 002C 003A-003C 003E-003F 005B 005D 005F-0060 007B 007D 00A1 00AB 00B4 00B7 00BB 00BF 060C 061B 061F
066A 06D4 0964 2013-2014 2018-201A 201C-201E 2026 2329-232A 27E6-27E7 3001-3002 3008-3011 3014-3015 FF01 FF08-FF09 FF0C
FF1A-FF1B FF1F FF5E
"""
DOT_AFTER_RANGES = """
0021-0023 0025-002D 003A-003C 003E-003F 005B 005D 005F-0060 007B-007D 00A1 00AB 00B2 00B4 00B7 00BB 00BF 060C 061B 061F
066A 2018-201A 201C-201E 2026 2329-232A 27E6-27E7 FF01 FF08-FF09 FF0C FF1A-FF1B FF1F FF5E 0030-0039
"""
CURRENCY_RANGES = "0024 00A3 00A5 0E3F 20A0-20BF FDFC"
# Category So as of Unicode 11, listed by spaCy block by block.
ICON_RANGES = """
00A6 00A9 00AE 00B0 0482 058D-058E 060E-060F 06DE 06E9 06FD-06FE 07F6 09FA 0B70 0BF3-0BF8 0BFA 0C7F 0D4F 0D79 0F01-0F03
0F13 0F15-0F17 0F1A-0F1F 0F34 0F36 0F38 0FBE-0FC5 0FC7-0FCC 0FCE-0FCF 0FD5-0FD8 109E-109F 1390-1399 1940 19DE-19FF
1B61-1B6A 1B74-1B7C 2100-2101 2103-2106 2108-2109 2114 2116-2117 211E-2123 2125 2127 2129 212E 213A-213B 214A 214C-214D
214F 218A-218B 2195-2199 219C-219F 21A1-21A2 21A4-21A5 21A7-21AD 21AF-21CD 21D0-21D1 21D3 21D5-21F3 2300-2307 230C-231F
2322-2328 232B-237B 237D-239A 23B4-23DB 23E2-2426 2440-244A 249C-24E9 2500-25B6 25B8-25C0 25C2-25F7 2600-266E 2670-2767
2794-27BF 2800-28FF 2B00-2B2F 2B45-2B46 2B4D-2B73 2B76-2B95 2B98-2BC8 2BCA-2BFE 2CE5-2CEA 2E80-2E99 2E9B-2EF3 2F00-2FD5
2FF0-2FFB 3004 3012-3013 3020 3036-3037 303E-303F 3190-3191 3196-319F 31C0-31E3 3200-321E 322A-3247 3250 3260-327F
328A-32B0 32C0-32FE 3300-33FF 4DC0-4DFF A490-A4C6 A828-A82B A836-A837 A839 AA77-AA79 FDFD FFE4 FFE8 FFED-FFEE FFFC-FFFD
10137-1013F 10179-10189 1018C-1018E 10190-1019B 101A0 101D0-101FC 10877-10878 10AC8 1173F 16B3C-16B3F 16B45 1BC9C
1D000-1D0F5 1D100-1D126 1D129-1D164 1D16A-1D16C 1D183-1D184 1D18C-1D1A9 1D1AE-1D1E8 1D200-1D241 1D245 1D300-1D356
1D800-1D9FF 1DA37-1DA3A 1DA6D-1DA74 1DA76-1DA83 1DA85-1DA86 1ECAC 1F000-1F02B 1F030-1F093 1F0A0-1F0AE 1F0B1-1F0BF
1F0C1-1F0CF 1F0D1-1F0F5 1F110-1F16B 1F170-1F1AC 1F1E6-1F202 1F210-1F23B 1F240-1F248 1F250-1F251 1F260-1F265 1F300-1F3FA
1F400-1F6D4 1F6E0-1F6EC 1F6F0-1F6F9 1F700-1F773 1F780-1F7D8 1F800-1F80B 1F810-1F847 1F850-1F859 1F860-1F887 1F890-1F8AD
1F900-1F90B 1F910-1F93E 1F940-1F970 1F973-1F976 1F97A 1F97C-1F9A2 1F9B0-1F9B9 1F9C0-1F9C2 1F9D0-1F9FF 1FA60-1FA6D
"""

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
def roles() -> U16:
    """The splitting roles of every code point: uint16, shape (0x110000,)."""
    table = np.zeros(CODE_POINTS, np.uint16)
    table[code_points(UNCASED_RANGES)] |= ALPHA | LOWER_OR_UNCASED | UPPER_OR_UNCASED
    for code in code_points(CASED_RANGES):
        category = unicodedata.category(chr(code))
        lower = category == "Ll" or code == GLOTTAL_STOP
        table[code] |= ALPHA | (LOWER_OR_UNCASED if lower else UPPER_OR_UNCASED if category == "Lu" else 0)
    parts = ((QUOTE_RANGES, QUOTE), (PREFIX_RANGES, PREFIX), (SUFFIX_RANGES, SUFFIX), (ICON_RANGES, ICON))
    for ranges, bit in (*parts, (CURRENCY_RANGES, CURRENCY), (DOT_AFTER_RANGES, DOT_AFTER)):
        table[code_points(ranges)] |= bit
    table[(table & LOWER_OR_UNCASED) != 0] |= DOT_AFTER
    cut = PREFIX | SUFFIX | ICON | CURRENCY
    inert = ((table & cut) == 0) & ((character_classes() & SPACE) == 0)
    inert[:0x80] = False  # of ASCII only the letters
    inert[[*range(0x41, 0x5B), *range(0x61, 0x7B)]] = True
    inert[code_points("00B5 00B2-00B3")] = False  # only inside units
    table[inert] |= INERT
    table.setflags(write=False)
    return table


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
def lexicon() -> U64:
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


def _add(table: U64, text: str, value: int) -> None:
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
    return any(
        (c == "." and a & LOWER_OR_UNCASED and b & UPPER_OR_UNCASED) or (c in "/-" and b & ALPHA) for a, c, b in triples
    )
