"""Personal data and secrets in texts: what looks like one of a kind, and passes the kind's own check.

Patterns are of Rust's ``regex``, which takes linear time on any text. Numbers are checked: cards by Luhn's digit,
length and first digits (ISO/IEC 7812), account numbers by length and remainder (ISO 13616), addresses by whether they
are public. Secrets are told by the prefixes that their makers publish. Names of people are no pattern, and not found.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

# datatrove 0.10.1 pipeline/formatters/pii.py (Apache-2.0)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"
_DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_LITERAL = rf"\[(?:{OCTET}\.){{3}}(?:{OCTET}|[A-Za-z0-9-]*[A-Za-z0-9]:)\]"
EMAIL = rf"\b{_ATOM}+(?:\.{_ATOM}+)*@(?:{_DOMAIN}|{_LITERAL})"
IP_ADDRESS = rf"(?:{OCTET}\.){{3}}{OCTET}"
_B = r"(?-u:\b)"  # between ASCII letters or digits and all else, which takes a fraction of the time of Unicode's
PHONE = (
    rf"\+[1-9](?:[ .()-]{{0,2}}[0-9]){{7,14}}{_B}|(?:\([0-9]{{3}}\) ?|{_B}[0-9]{{3}}[.-])[0-9]{{3}}[.-][0-9]{{4}}{_B}"
)
_GROUPS = r"[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}|[0-9]{4}(?:[ -][0-9]{4}){3}(?:[ -][0-9]{3})?"
CARD = rf"{_B}(?:[0-9]{{13,19}}|{_GROUPS}){_B}"
ACCOUNT = rf"{_B}[A-Z]{{2}}[0-9]{{2}}(?: ?[A-Z0-9]){{11,30}}{_B}"
SECRET = "|".join((
    rf"{_B}(?:AKIA|ASIA)[A-Z2-7]{{16}}{_B}",  # Amazon
    rf"{_B}AIza[0-9A-Za-z_-]{{35}}",  # Google
    rf"{_B}gh[pousr]_[A-Za-z0-9]{{36,}}",  # GitHub
    rf"{_B}github_pat_[A-Za-z0-9_]{{82}}",
    rf"{_B}glpat-[A-Za-z0-9_-]{{20,}}",  # GitLab
    rf"{_B}hf_[A-Za-z]{{34,}}{_B}",  # Hugging Face
    rf"{_B}npm_[A-Za-z0-9]{{36}}{_B}",
    rf"{_B}pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{{50,}}",
    rf"{_B}[rs]k_live_[0-9A-Za-z]{{24,}}",  # Stripe
    rf"{_B}xox[abeprs]-[A-Za-z0-9-]{{10,}}",  # Slack
    rf"{_B}eyJ[A-Za-z0-9_-]{{10,}}\.eyJ[A-Za-z0-9_-]{{10,}}\.[A-Za-z0-9_-]{{10,}}",  # JSON web tokens (RFC 7519)
    # RFC 7468, with the lines of the key: of headers (RFC 1421), and of base64 alone
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?:(?:\r?\n[A-Za-z-]{1,20}: [^\r\n]{0,200})+\r?\n)?"
    r"(?:\r?\n[A-Za-z0-9+/=]{16,100})*(?:\r?\n[A-Za-z0-9+/=]{1,15})?(?:\r?\n-----END (?:[A-Z]+ )*PRIVATE KEY-----)?",
))  # fmt: skip
_SIXTEEN = "4|5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|352[89]|35[3-8]|6011|64[4-9]|65"
CARD_STARTS = {
    length: re.compile(starts)
    for length, starts in {
        13: "4", 14: "30[0-5]|3[68]", 15: "3[47]", 16: _SIXTEEN, 19: "4|6011|64[4-9]|65"
    }.items()
}  # fmt: skip
"""First digits of the networks' numbers by how many digits these have (ISO/IEC 7812 leaves both to them)."""
ACCOUNT_LENGTHS = {
    length: frozenset(countries.split())
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC",
    }.items()
}  # fmt: skip
"""Countries by the length of their account numbers (the registry of ISO 13616)."""


def is_public(address: str) -> bool:
    """Whether an IPv4 address is of the public internet; one with a leading zero is none."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def is_card(written: str) -> bool:
    """Whether digits, with blanks or hyphens between, are a card's number."""
    number = "".join(one for one in written if one.isdecimal())
    starts, digits = CARD_STARTS.get(len(number)), [int(one) for one in number]
    doubled = sum(digits[-1::-2]) + sum(sum(divmod(2 * one, 10)) for one in digits[-2::-2])
    return starts is not None and starts.match(number) is not None and doubled % 10 == 0


def is_account(written: str) -> bool:
    """Whether letters and digits, with blanks between, are an international account number."""
    bare = written.replace(" ", "")
    if bare[:2] not in ACCOUNT_LENGTHS.get(len(bare), ()):
        return False
    return int("".join(str(int(one, 36)) for one in bare[4:] + bare[:4])) % 97 == 1


def _any(_written: str) -> bool:
    return True


@dataclass(frozen=True)
class Kind:
    """A kind of personal data: its pattern, and a check of what the pattern finds."""

    pattern: str
    check: Callable[[str], bool] = _any


KINDS: Mapping[str, Kind] = {
    "email_count": Kind(EMAIL),
    "public_ip_count": Kind(IP_ADDRESS, is_public),
    "phone_count": Kind(PHONE),
    "card_count": Kind(CARD, is_card),
    "account_number_count": Kind(ACCOUNT, is_account),
    "secret_count": Kind(SECRET),
}
"""By the name of the signal that counts them."""


class PersonalData:
    """The signals of `KINDS`: how many of each are in a text."""

    names = tuple(KINDS)

    def scores(self, texts: pl.Series) -> dict[str, pl.Series]:
        """Count each kind in each text."""
        return {name: _counts(texts, kind) for name, kind in KINDS.items()}


def _counts(texts: pl.Series, kind: Kind) -> pl.Series:
    if kind.check is _any:
        return texts.str.count_matches(kind.pattern)
    found = pl.DataFrame({"row": range(len(texts)), "found": texts.str.extract_all(kind.pattern)})
    found = found.filter(pl.col("found").list.len() > 0).explode("found")
    passed = found.filter(pl.Series([kind.check(one) for one in found["found"]], dtype=pl.Boolean))
    counts = passed.group_by("row").len()
    rows = pl.DataFrame({"row": range(len(texts))})
    return rows.join(counts, on="row", how="left", maintain_order="left")["len"].fill_null(0)
