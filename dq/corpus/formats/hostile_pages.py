"""Pages that keep an HTML parser busy for minutes or fill its memory, told before they are parsed.

What costs the square of a page's length, or more: formatting that is never closed, which HTML repeats in every block
behind it (72 kB became 4 GB); very many attributes in one tag (100,000 took a minute) or choices in one form; end tags
of nothing among elements nested very deep. The bounds are far from what people write. Tags are found as a parser finds
them but for corners of script and SVG, so this is no proof.
"""

from __future__ import annotations

import re
from collections import Counter

MAX_REPEATED = 2_000_000  # elements made of formatting that is open: a gigabyte
MAX_OPEN = 2_000  # elements at once
MAX_ATTRIBUTES = 2_000  # of a tag; of all tags of `body` and `html`, which are one element, together
MAX_CHOICES = 20_000
HARMLESS_CHARS = 250_000  # of a page without much formatting: five seconds at most, and not worth a look at every tag

FORMATTING = "b|big|code|em|font|i|s|small|strike|strong|tt|u"  # not `a` and `nobr`, which end the one before
BOUNDS = "applet|caption|marquee|object|table|td|template|th|mi|mo|mn|ms|mtext|annotation-xml|foreignobject|desc|title"
"""Elements out of which nothing is closed."""
IS_BOUND, IS_FORMATTING = frozenset(BOUNDS.split("|")), frozenset(FORMATTING.split("|"))
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
ENDED_BY_NEXT = {"p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th", "thead", "tbody", "tfoot", "rp", "rt"}
SHAPES = {"path", "circle", "ellipse", "rect", "line", "polygon", "polyline", "use", "stop", "image", "text", "tspan"}
FLAT = VOID | ENDED_BY_NEXT | SHAPES | {"html", "head", "body", "g"}
"""Elements that nest nothing, or that SVG ends with `/>`."""
FORMATTED = re.compile(rf"<(?i:{FORMATTING})(?![^\s/>])")
OPENED = re.compile(rf"<((?i:{FORMATTING}|{BOUNDS}))(?![^\s/>])")
CHOICE = re.compile(r"<(?i:option|optgroup)")
RAW = "(?i:script|style|textarea|title|xmp|iframe|noembed|noframes)"
TOKEN = re.compile(
    r"<(?:!--.*?(?:--!?>|\Z)|!\[CDATA\[.*?(?:\]\]>|\Z)|[!?][^>]*+"
    rf"|{RAW}\b.*?(?:</{RAW}\b|\Z)"
    r"|(/?)([A-Za-z][^\s/>]*+)(?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')?+)*+)",
    re.S,
)
"""A comment, an element whose content is no markup, or a tag."""
ATTRIBUTE = re.compile(r"[^\s/>=]++(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+)?+)?+")


def is_hostile(html: str) -> bool:
    """Whether parsing a page would take minutes or gigabytes."""
    tags = html.count("<")
    if tags**2 > MAX_REPEATED and tags * len(FORMATTED.findall(html)) > MAX_REPEATED and _repeats_formatting(html):
        return True
    return len(html) > HARMLESS_CHARS and (len(CHOICE.findall(html)) > MAX_CHOICES or _is_tangled(html))


def _is_tangled(html: str) -> bool:
    """Whether more elements are open at once, or a tag has more attributes, than anybody means."""
    open_elements, depth, of_body = Counter[str](), 0, 0
    for token in TOKEN.finditer(html):
        close, name = token.groups()
        if not name:
            continue
        kind = name.lower()
        if close:
            if open_elements[kind] > 0:
                open_elements[kind] -= 1
                depth -= 1
        elif kind not in FLAT:
            open_elements[kind] += 1
            depth += 1
            if depth > MAX_OPEN:
                return True
        elif kind in ("body", "html"):
            of_body += len(ATTRIBUTE.findall(token[0])) - 1
        if token.end() - token.start() > MAX_ATTRIBUTES and len(ATTRIBUTE.findall(token[0])) > MAX_ATTRIBUTES:
            return True
    return of_body > MAX_ATTRIBUTES


def _repeats_formatting(html: str) -> bool:
    formatting = _Formatting()
    for token in TOKEN.finditer(html):
        formatting.take(token[0], close=token[2].lower() if token[1] else "")
        if formatting.repeated > MAX_REPEATED:
            return True
    return False


class _Formatting:
    """What formatting is open, and how many elements a parser makes of it where others begin: an upper bound.

    What seems to be opened within comments and the like counts, and what is closed there does not.
    """

    def __init__(self) -> None:
        self.active = self.repeated = 0
        self._inside = [("", Counter[str]())]  # of each of BOUNDS that is open, and what was opened in it

    def take(self, token: str, *, close: str) -> None:
        """A token; ``close`` names the element that it ends."""
        kind, opened = self._inside[-1]
        if close and opened[close] > 0:
            opened[close] -= 1
            self.active -= 1
        elif close and close == kind:
            self._inside.pop()
        elif not close:
            for one in map(str.lower, OPENED.findall(token)):
                if one in IS_BOUND:
                    self._inside.append((one, Counter()))
                else:
                    self._inside[-1][1][one] += 1
                    self.active += 1
        self.repeated += self.active
