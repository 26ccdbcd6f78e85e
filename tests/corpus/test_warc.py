"""WARC, WET and ARC: every text is read, damage costs the record it is in, and hostile pages cost little."""

from __future__ import annotations

import gzip
import json
import re
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dq.corpus.documents import Row
from dq.corpus.formats.http_response import BodyError, HttpResponse
from dq.corpus.formats.records import records as our_records
from dq.corpus.inputs import find_inputs
from dq.errors import InputError, MissingExtraError
from dq.pages.extracted import libraries
from dq.stages.read import reading_warnings
from tests.command import run_dq
from tests.corpus.crawl import answer, bad, crawl, good, page, record, rows, written
from tests.corpus.files import read


def test_texts_are_documents_and_the_rest_of_a_crawl_is_passed_over(tmp_path: Path) -> None:
    records = [
        *crawl(2),
        record("response", answer(b"\x89PNG", kind="image/png"), number=7),
        record("response", answer(b"moved", status=301), number=8),
        record("revisit", b"", number=9),
        record("metadata", b"a: b\r\n", number=10),
        record("response", answer(b"plain text", kind="text/plain"), number=11),
        record(
            "conversion", "Grüße".encode(), number=12, Content_Type="text/plain", WARC_Identified_Content_Language="deu"
        ),
        record("resource", b"<p>kept</p>", number=13, Content_Type="text/html"),
        record("resource", b"log", number=14, Content_Type="text/plain", WARC_Target_URI="<metadata://wget.log>"),
        record("response", b"dns answer", number=15, WARC_Target_URI="dns:example.org"),
    ]
    found = good(rows(written(tmp_path / "a.warc.gz", records)))
    assert [one.fields["id"] for one in found] == ["0000", "0001", "0011", "0012", "0013"]
    assert found[1].fields == {
        "id": "0001",
        "url": "https://example.org/1",
        "date": "2024-05-18T01:58:10Z",
        "title": "Page 1",
        "charset": "utf-8",
        "text": f"Text of page 1: {' '.join(f'word1x{i}' for i in range(300))}.",
    }
    assert [one.fields["text"] for one in found[2:]] == ["plain text", "Grüße", "kept"]
    assert found[3].fields["language"] == "deu"
    assert [one.line for one in found] == [3, 5, 10, 11, 12]


def test_what_is_passed_over_is_counted_by_its_kind(tmp_path: Path) -> None:
    records = [
        *crawl(3),
        *(record("response", answer(b"\x89PNG", kind="image/png"), number=n) for n in range(7, 9)),
        record("response", answer(b"moved", status=301), number=9),
        record("response", answer(b"gone", status=404), number=10),
        record("response", answer(b"{}", kind="application/json"), number=11),
        record("response", b"dns answer", number=12),
    ]
    kinds = {
        "client error": 1,
        "image": 2,
        "no answer": 1,
        "other content": 1,
        "redirect": 1,
        "request": 3,
        "warcinfo": 1,
    }
    summary = read(written(tmp_path / "a.warc.gz", records), tmp_path / "out").record.summary
    assert (summary["rows"], summary["passed_over"]) == (3, kinds)
    said = "10 records of crawls are no pages and were passed over: request 3, image 2, "
    assert any(one.startswith(said) for one in reading_warnings(summary))
    done = run_dq("score", "a.warc.gz", "-o", "scores.parquet", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["passed_over"] == kinds, done.stdout


def with_dictionary(records: list[bytes], *, pack: Callable[[bytes], bytes] = bytes) -> bytes:
    """As some crawlers write: in front a frame of no data that holds the dictionary of all others, or that packed."""
    dictionary = zstd.train_dict(records * 20, 4096)
    held = pack(dictionary.dict_content)
    front = b"\x5d\x2a\x4d\x18" + len(held).to_bytes(4, "little") + held
    return front + b"".join(zstd.compress(one, zstd_dict=dictionary) for one in records)


LAYOUTS: dict[str, Callable[[list[bytes]], bytes]] = {
    "a.warc": b"".join,
    "members.warc.gz": lambda records: b"".join(gzip.compress(one) for one in records),
    "one.warc.gz": lambda records: gzip.compress(b"".join(records)),
    "padded.warc.gz": lambda records: b"".join(gzip.compress(one) + bytes(700) for one in records),
    "blocks.warc.gz": lambda records: b"".join(
        gzip.compress(b"".join(records)[at : at + 1000]) for at in range(0, sum(map(len, records)), 1000)
    ),
    "a.warc.zst": lambda records: b"".join(zstd.compress(one) for one in records),
    "dictionary.warc.zst": with_dictionary,
    "packed.warc.zst": lambda records: with_dictionary(records, pack=zstd.compress),
    "unix.warc": lambda records: b"".join(records).replace(b"\r\n\r\nHTTP", b"\n\nHTTP"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_layout_of_a_file_changes_nothing(tmp_path: Path, name: str) -> None:
    records = crawl(6)
    (tmp_path / name).write_bytes(LAYOUTS[name](records))
    found = rows(tmp_path / name)
    assert not bad(found)
    assert [one.fields for one in good(found)] == [
        one.fields for one in good(rows(written(tmp_path / "x.warc.gz", records)))
    ]
    assert len(found) == 6


def test_damage_costs_the_record_that_it_is_in_and_is_listed_with_its_offset(tmp_path: Path) -> None:
    packed = [gzip.compress(one) for one in crawl(6)]
    hurt, at = bytearray(packed[6]), sum(map(len, packed[:6]))  # the answer of page 2
    hurt[len(hurt) // 2 : len(hurt) // 2 + 40] = bytes(40)
    (tmp_path / "a.warc.gz").write_bytes(b"".join([*packed[:6], hurt, *packed[7:]]))
    found = rows(tmp_path / "a.warc.gz")
    assert [one.fields["id"] for one in good(found)] == ["0000", "0001", "0003", "0004", "0005"]
    assert [(one.line, one.offset, one.reason) for one in bad(found)] == [(7, at, "damaged_record")]
    (tmp_path / "b.warc.gz").write_bytes(b"".join([*packed[:6], packed[6][:-200], *packed[7:]]))  # a member is cut
    assert [one.fields["id"] for one in good(rows(tmp_path / "b.warc.gz"))] == ["0000", "0001", "0003", "0004", "0005"]
    streams = [zstd.compress(one) for one in crawl(6)]
    streams[6] = streams[6][: len(streams[6]) // 2] + bytes(40) + streams[6][len(streams[6]) // 2 + 40 :]
    (tmp_path / "d.warc.zst").write_bytes(b"".join(streams))
    found = rows(tmp_path / "d.warc.zst")
    assert [one.fields["id"] for one in good(found)] == ["0000", "0001", "0003", "0004", "0005"]
    assert [(one.line, one.offset) for one in bad(found)] == [(7, sum(map(len, streams[:6])))]
    (tmp_path / "c.warc.gz").write_bytes(b"".join(packed)[:-100])  # the end is missing
    assert [one.reason for one in bad(rows(tmp_path / "c.warc.gz"))] == ["truncated_record"]
    assert len(good(rows(tmp_path / "c.warc.gz"))) == 5


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
@pytest.mark.parametrize(
    ("hurt", "reasons"),
    [
        (lambda raw: re.sub(rb"Content-Length: \d+", b"Content-Length: many", raw), ["broken_record"]),
        (lambda raw: raw.replace(b"WARC/1.0", b"WARK/1.0"), ["broken_record"]),
        (lambda raw: raw.replace(b"WARC-Date: 2024-05-18T01:58:10Z", b"a line without its colon"), ["broken_record"]),
        (lambda raw: b"x" * 100_000 + raw, ["broken_record"]),
    ],
)
def test_a_record_that_is_none_hides_no_other(
    tmp_path: Path, pack: Callable[[bytes], bytes], hurt: Callable[[bytes], bytes], reasons: list[str]
) -> None:
    records = crawl(3)
    records[4] = hurt(records[4])
    (tmp_path / "a.warc").write_bytes(b"".join(pack(one) for one in records))
    found = rows(tmp_path / "a.warc")
    assert {"0000", "0002"} <= {one.fields["id"] for one in good(found)}
    assert [one.reason for one in bad(found)] == reasons


def test_a_length_past_the_end_of_its_member_takes_nothing_of_the_next(tmp_path: Path) -> None:
    records = crawl(3)
    records[4] = record("response", page(1), number=1, length=50_000)
    found = rows(written(tmp_path / "a.warc.gz", records))
    assert [one.fields["id"] for one in good(found)] == ["0000", "0002"]
    assert [one.reason for one in bad(found)] == ["broken_record"]


@pytest.mark.parametrize("length", ["20000", "999999999999999"])
def test_a_length_past_the_end_of_a_plain_file_costs_its_own_record(tmp_path: Path, length: str) -> None:
    records = crawl(3)
    records[2] = record("response", page(0), number=0, Content_Length=length)
    whole = b"".join(records)
    (tmp_path / "a.warc").write_bytes(whole)
    found = rows(tmp_path / "a.warc")
    assert [one.fields["id"] for one in good(found)] == ["0001", "0002"]
    fault = (3, "truncated_record", whole.index(b"WARC/1.0\r\nWARC-Type: response"))
    assert [(one.line, one.reason, one.offset) for one in bad(found)] == [fault]
    (tmp_path / "b.warc").write_bytes(b"".join(crawl(3))[:-100])  # the end is missing
    found = rows(tmp_path / "b.warc")
    assert (len(good(found)), [one.reason for one in bad(found)]) == (2, ["truncated_record"])


PACKED = b"".join(gzip.compress(one) for one in crawl(4))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, len(PACKED) - 1), st.integers(0, 255)), max_size=3), st.integers(1, len(PACKED))
)
def test_whatever_is_done_to_an_archive_it_is_read_or_refused(
    tmp_path: Path, changes: list[tuple[int, int]], size: int
) -> None:
    hurt = bytearray(PACKED)
    for at, value in changes:
        hurt[at] = value
    (tmp_path / "a.warc.gz").write_bytes(hurt[:size])
    try:
        found = rows(tmp_path / "a.warc.gz")
    except InputError as error:  # its first bytes are no gzip any more
        assert "a.warc.gz" in str(error)
        return
    assert len(good(found)) <= 4
    first_change = min([at for at, _ in changes] + [size])
    whole = [one for one in range(4) if sum(len(gzip.compress(r)) for r in crawl(4)[: 3 + 2 * one]) <= first_change]
    assert [f"{one:04d}" for one in whole] == [one.fields["id"] for one in good(found)][: len(whole)]


def test_bodies_are_unpacked_as_servers_sent_them(tmp_path: Path) -> None:
    html = b"<html><body><p>The same words on every page.</p></body></html>"
    chunks = b"1a\r\n" + html[:26] + b"\r\n" + f"{len(html) - 26:x};x=1\r\n".encode() + html[26:] + b"\r\n0\r\n\r\n"
    raw = zlib.compressobj(wbits=31)
    bodies = [
        answer(html),
        answer(chunks, Transfer_Encoding="chunked"),
        answer(html, Transfer_Encoding="chunked"),  # the crawler joined them, and kept the header
        answer(gzip.compress(html), Content_Encoding="gzip"),
        answer(html, Content_Encoding="gzip"),
        answer(gzip.compress(html)),
        answer(zlib.compress(html), Content_Encoding="deflate"),
        answer(html, Content_Encoding="br"),
        answer(pa.compress(html, codec="brotli", asbytes=True), Content_Encoding="br"),
        answer(zstd.compress(html), Content_Encoding="zstd"),
        answer(raw.compress(html) + raw.flush(zlib.Z_FULL_FLUSH), Content_Encoding="gzip"),  # cut
        answer(chunks[:-5], Transfer_Encoding="chunked"),
        answer(html, kind="text/html"),
        answer("<p>The same words on every page.</p>".encode("utf-16"), kind="text/html; charset=utf-16"),
        answer(html, kind="TEXT/HTML ; Charset='no-such'"),
    ]
    found = rows(written(tmp_path / "a.warc.gz", [record("response", one) for one in bodies]))
    assert [one.fields["text"] for one in good(found)] == ["The same words on every page."] * len(bodies)
    lost = [
        answer(b"\x1f\x9d\x90\0\x01", Content_Encoding="compress"),
        answer(b"\x1f\x8b\x08" + bytes(30)),
        answer(b"\xff\xfe\0", Content_Encoding="br"),
    ]
    found = rows(written(tmp_path / "b.warc.gz", [record("response", one) for one in lost]))
    assert [one.reason for one in bad(found)] == ["unknown_content_encoding", "damaged_body", "damaged_body"]


def test_a_damaged_dictionary_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    content = with_dictionary(crawl(3))
    (tmp_path / "a.warc.zst").write_bytes(content[:30] + bytes(400) + content[430:])
    with pytest.raises(InputError, match=r"a\.warc\.zst: the Zstandard dictionary in front is damaged"):
        rows(tmp_path / "a.warc.zst")


@pytest.mark.parametrize("codec", ["brotli", "zstd"])
def test_bodies_of_newer_codecs_are_bounded_and_cut_ones_read_as_far_as_they_go(codec: str) -> None:
    plain = b"".join(b"<p>%d</p>" % (number * 7919) for number in range(100_000))
    packed = pa.compress(plain, codec=codec, asbytes=True)
    coding = {"brotli": "br"}.get(codec, codec)
    stored = [HttpResponse(200, {"content-encoding": coding}, one) for one in (packed, packed[: len(packed) // 2])]
    assert stored[0].body(max_bytes=len(plain)) == plain
    assert plain.startswith(stored[1].body(max_bytes=len(plain))) and stored[1].body(max_bytes=len(plain))
    with pytest.raises(BodyError, match="record_too_large"):
        stored[0].body(max_bytes=len(plain) - 1)


def test_charsets_are_those_of_the_server_then_of_the_page_then_of_the_bytes(tmp_path: Path) -> None:
    text = "Überraschungen für größere Bären"
    said = f"<meta charset=latin-1><p>{text}</p>".encode("latin-1")
    bodies = [
        answer(f"<p>{text}</p>".encode("latin-1"), kind="text/html; charset=ISO-8859-1"),
        answer(said, kind="text/html"),
        answer(f"<p>{text}</p>".encode(), kind="text/html"),
        answer(f"<p>{text}</p>".encode("cp1252"), kind="text/html"),
    ]
    found = good(rows(written(tmp_path / "a.warc.gz", [record("response", one) for one in bodies])))
    assert [one.fields["text"] for one in found] == [text] * 4


def test_what_of_a_page_is_its_text_is_chosen(tmp_path: Path) -> None:
    menu = "<nav><ul><li><a href=a>Menu one</a></li><li><a href=b>Menu two</a></li></ul></nav>"
    html = f"<html><body>{menu}<main><p>{'The article says something. ' * 20}</p></main></body></html>"
    path = written(tmp_path / "a.warc.gz", [record("response", answer(html.encode()))])
    by_what = {what: good(rows(path, page_text=what))[0].fields["text"] for what in ("main", "all", "html")}
    assert "article" in by_what["main"] and "Menu" not in by_what["main"]
    assert "article" in by_what["all"] and "Menu one" in by_what["all"] and "<p>" not in by_what["all"]
    assert by_what["html"] == html


def test_arc_files_hold_the_same_pages(tmp_path: Path) -> None:
    head = b"1 1 Test\nURL IP-address Archive-date Content-type Archive-length\n"
    records = [b"filedesc://a.arc 0.0.0.0 20080430204825 text/plain %d\n" % len(head) + head]
    for number, extra in enumerate(("", " 200 checksum - 1234 a.arc")):  # version 2 has more fields
        address = (
            f"http://example.org/with space/{number} 10.0.0.1 20080430204825 text/html{extra} {len(page(number))}\n"
        )
        records.append(address.encode() + page(number) + b"\n")
    (tmp_path / "a.arc").write_bytes(b"".join(records))
    for path in (written(tmp_path / "a.arc.gz", records), tmp_path / "a.arc"):
        found = rows(path)
        assert not bad(found)
        assert [one.fields["title"] for one in good(found)] == ["Page 0", "Page 1"]
        assert good(found)[1].fields["url"] == "http://example.org/with space/1"
        assert good(found)[1].fields["date"] == "2008-04-30T20:48:25Z"


def test_what_is_too_large_is_not_held(tmp_path: Path) -> None:
    bomb = answer(gzip.compress(bytes(50_000_000), 9), Content_Encoding="gzip")
    records = [record("response", answer(b"<p>" + b"x" * 3_000_000)), record("response", bomb), *crawl(1)]
    found = rows(written(tmp_path / "a.warc.gz", records))
    assert [(one.line, one.reason) for one in bad(found)] == [(1, "record_too_large"), (2, "record_too_large")]
    assert len(good(found)) == 1


@pytest.mark.parametrize("html", ["<div>", "<div>a", "<path/>", "<svg><div><path/>"])
def test_deep_pages_are_refused_at_little_cost(tmp_path: Path, html: str) -> None:
    raw = answer(html.encode() * (1_000_000 // len(html)))
    path = written(tmp_path / "a.warc.gz", [record("response", raw), *crawl(1)])
    found = rows(path, limit=10_000_000)
    assert [one.reason for one in bad(found)] == ["page_too_deep"]
    assert len(good(found)) == 1


def test_what_looks_like_members_costs_little_and_a_flood_of_headers_too(tmp_path: Path) -> None:
    first, *_ = [gzip.compress(one) for one in crawl(1)]
    (tmp_path / "a.warc.gz").write_bytes(first + first[:40] + b"\x1f\x8b\x08\0" * 60_000)
    flood = b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 500_000
    written(tmp_path / "b.warc.gz", [record("response", flood), *crawl(1)])
    chunks = answer(b"1\r\nx\r\n" * 200_000, Transfer_Encoding="chunked", kind="text/plain")
    written(tmp_path / "c.warc.gz", [record("response", chunks)])
    started = time.process_time()
    assert [one.reason for one in bad(rows(tmp_path / "a.warc.gz"))] == ["damaged_record"]
    assert len(good(rows(tmp_path / "b.warc.gz", limit=50_000_000))) == 1
    assert len(good(rows(tmp_path / "c.warc.gz", limit=50_000_000))[0].fields["text"]) == 200_000
    assert time.process_time() - started < 10
    large = record("response", answer(b"<p>x</p>" * 1_500_000))
    assert [one.reason for one in bad(rows(written(tmp_path / "d.warc.gz", [large]), limit=50_000_000))] == [
        "page_too_large"
    ]


def test_a_crawl_is_filtered_from_the_command_line(tmp_path: Path) -> None:
    written(tmp_path / "a.warc.gz", crawl(30))
    (tmp_path / "b.warc.wet.gz").write_bytes(
        gzip.compress(record("conversion", b"some words", Content_Type="text/plain"))
    )
    done = run_dq("filter", "a.warc.gz", "b.warc.wet.gz", "--preset", "fineweb", "-o", "kept.parquet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run_dq("score", "a.warc.gz", "--page-text", "html", "-o", "scores.parquet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    scores = pl.read_parquet(tmp_path / "scores.parquet")
    assert scores["id"].to_list() == [f"{number:04d}" for number in range(30)]
    assert scores["char_count"].to_list() == [len(page(number).partition(b"\r\n\r\n")[2]) for number in range(30)]


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["aut-example.warc.gz", "cc-whirlwind.warc.gz", "dolma-sample-0000.warc.gz"])
def test_records_are_those_that_fastwarc_finds(shared: Path, name: str) -> None:
    """FastWARC shares no line with ours; addresses and stored bodies are compared."""
    warc = pytest.importorskip("fastwarc.warc")
    file = find_inputs([str(shared / "data/warc" / name)]).files[0].file
    ours = list(our_records(file, max_block_bytes=1 << 30))
    assert all(one.fault is None for one in ours)
    with (shared / "data/warc" / name).open("rb") as stream:
        theirs = [
            (str(one.record_type).rpartition(".")[2], one.headers.get("WARC-Target-URI"), one.reader.read())
            for one in warc.ArchiveIterator(stream, parse_http=False)
        ]
    assert [(one.headers["warc-type"], one.headers.get("warc-target-uri"), one.block) for one in ours] == theirs
    assert {HttpResponse.of(one.block).status for one in ours if one.headers["warc-type"] == "response"} >= {200}


@pytest.mark.needs_shared
def test_an_arc_and_the_warc_made_of_it_have_the_same_texts(shared: Path) -> None:
    texts = [
        {
            one.fields["url"]: one.fields["text"]
            for one in rows(shared / "data/warc" / name, limit=64_000_000)
            if isinstance(one, Row)
        }
        for name in ("aut-example.arc.gz", "aut-example.warc.gz")
    ]
    assert len(texts[0]) > 100
    assert texts[0] == texts[1]


def test_without_its_library_the_extra_is_named_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.warc.gz", crawl(1))
    for name in ("resiliparse", *(one for one in sys.modules if one.startswith("resiliparse."))):
        monkeypatch.setitem(sys.modules, name, None)
    libraries.cache_clear()
    with pytest.raises(MissingExtraError, match="resiliparse is not installed; run: pip install resiliparse"):
        find_inputs([path])
    libraries.cache_clear()
