"""HTML pages as text, by resiliparse: what they say, or their main content; with title, date and charset.

Taking out text takes the depth of a page times its length, so a page nested deeper than browsers build it (512 in
Chromium) is refused once it is parsed. Whatever else a page is made to cost is bounded by `dq.pages.parser`.

Trafilatura, where it is asked for, is set as for FineWeb (datatrove 0.10.1 `Trafilatura`: precision before recall), but
for what it calls deduplication, whose result depends on the pages before. It takes up to the square of a page's tags.
"""

from __future__ import annotations

import functools
import logging
import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from dq.errors import require

PageText: TypeAlias = Literal["main", "all", "html", "trafilatura"]
"""What of a page is its text: the main content without menus, all that is shown, the HTML itself, or the main content
as trafilatura finds it, which takes fifty times as long."""

MAX_DEPTH = 512
DEEPER = ">".join(["*"] * (MAX_DEPTH + 1))  # a selector
CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.I)
SPACES = re.compile(r"\s+")
DATE = re.compile(r"\d{4}-\d\d-\d\d([T ][\d:.,+Z-]{0,30})?")  # ISO 8601
PUBLISHED = (
    ("article:published_time", "meta[property='article:published_time']", "content"),  # Open Graph
    ("datePublished", "[itemprop='datePublished']", "content"),  # schema.org
    ("dcterms.created", "meta[name='dcterms.created']", "content"),  # Dublin Core
    ('"date"', "meta[name='date']", "content"),
    ("<time", "article time[datetime]", "datetime"),
)
"""Where pages say when they were published, the surest first: what then stands in them, elements, and an attribute of
them. Few pages have any, and a look for elements goes through all of a page."""


class PageError(Exception):
    """A page that is not parsed; the message is the reason as quarantines call it."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its text, its title and when it was published, empty without one, and the charset it was read by."""

    text: str
    title: str
    published: str
    charset: str


def extracted(raw: bytes, *, content_type: str, what: PageText) -> Page:
    """The text of a page, parsed in this process, whatever that takes.

    Args:
        raw: as it was sent.
        content_type: as the server gave it; its charset comes before what the page says of itself.
        what: of the page.

    Raises:
        PageError: it is nested too deep, or no HTML that can be parsed.
    """
    html, charset = decoded(raw, content_type=content_type, is_html=True)
    if what == "html":
        return Page(html, "", "", charset)
    extract, tree_of, _ = libraries()
    try:
        tree = tree_of(html)
        if tree.document.query_selector(DEEPER) is not None:
            raise PageError("page_too_deep")
        if what == "trafilatura":
            text = _by_trafilatura(html)
        else:
            text = extract(tree, main_content=what == "main", alt_texts=False, links=False, list_bullets=False)
    except (ValueError, RuntimeError):
        raise PageError("broken_html") from None
    return Page(text, SPACES.sub(" ", tree.title or "").strip(), _published(html, tree), charset)


def _published(html: str, tree: Any) -> str:
    """The date that a page gives itself, as it writes it."""
    for word, selector, attribute in PUBLISHED:
        element = tree.document.query_selector(selector) if word in html else None
        said = (element.getattr(attribute) or "").strip() if element is not None else ""
        if DATE.fullmatch(said):
            return str(said)
    return ""


def decoded(raw: bytes, *, content_type: str, is_html: bool) -> tuple[str, str]:
    """Text by the charset that the server named, else by what the bytes say; and that charset."""
    encodings = libraries()[2]
    named = CHARSET.search(content_type)
    charset = encodings.map_encoding_to_html5(named[1], fallback_utf8=False) if named else None
    charset = charset or encodings.detect_encoding(raw, from_html_meta=is_html) or "utf-8"
    try:
        return encodings.bytes_to_str(raw, charset), charset
    except LookupError:
        return raw.decode("utf-8", "replace"), "utf-8"


def _by_trafilatura(html: str) -> str:
    """The main content as trafilatura finds it; none of a page in which it finds none."""
    try:
        return trafilatura().extract(html, favor_precision=True, include_comments=False, deduplicate=False) or ""
    except Exception:  # the library raises nothing narrower
        raise PageError("broken_html") from None


@functools.cache
def trafilatura() -> Any:
    """The library, which tells of each page in which it finds nothing to nobody.

    Raises:
        MissingExtraError: it is not installed.
    """
    logging.getLogger("trafilatura").addHandler(logging.NullHandler())
    return require("trafilatura")


def check_libraries(what: PageText) -> None:
    """Whether what pages need is installed.

    Raises:
        MissingExtraError: it is not.
    """
    libraries()
    if what == "trafilatura":
        trafilatura()


@functools.cache
def libraries() -> tuple[Any, Any, Any]:
    """The parts of resiliparse that are used: how text is taken out, how pages are parsed, and charsets.

    Raises:
        MissingExtraError: it is not installed.
    """
    extract = require("resiliparse.extract.html2text").extract_plain_text
    return extract, require("resiliparse.parse.html").HTMLTree.parse, require("resiliparse.parse.encoding")
