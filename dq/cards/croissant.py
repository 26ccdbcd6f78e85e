"""``croissant.json``: metadata by ML Commons' Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html).

Every file with its SHA-256 and size, how documents are read from them, and the counts and licence of each source as
records of their own, since the format has no other place for these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dq.cards.facts import Facts, Split
from dq.cards.markdown import printable
from dq.store import file_sha256

CROISSANT = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""As the library `mlcroissant` writes it."""
ENCODINGS = {".parquet": "application/x-parquet", ".jsonl": "application/jsonlines", ".json": "application/json"}


def croissant(facts: Facts, folder: Path, *, earlier: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The metadata of a folder, whose files are read once, or not again where earlier metadata has their hashes."""
    hashes = {one["name"]: one["sha256"] for one in (earlier or {}).get("distribution", ()) if "sha256" in one}
    splits = facts.splits if facts.loader else ()
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": printable(facts.title),
        "description": facts.summary,
        "license": [printable(one) for one in facts.licences],
        **({"inLanguage": list(facts.config.languages)} if facts.config.languages else {}),
        "distribution": [*(_file(folder / name, hashes.get(name)) for name in facts.files), *map(_file_set, splits)],
        "recordSet": [*(_documents(facts, split) for split in splits), *_sources(facts)],
    }


def _file(path: Path, sha256: str | None) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": ENCODINGS.get(path.suffix, "application/octet-stream"),
        "sha256": sha256 or file_sha256(path),
    }


def _file_set(split: Split) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{split.name}-files",
        "name": f"{split.name}-files",
        "encodingFormat": ENCODINGS[Path(split.files[0]).suffix],
        "includes": split.pattern or list(split.files),
    }


def _documents(facts: Facts, split: Split) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": split.name,
        "name": split.name,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{split.name}/{column.name}",
                "name": column.name,
                "description": column.what,
                "dataType": column.type,
                "source": {"fileSet": {"@id": f"{split.name}-files"}, "extract": {"column": column.name}},
            }
            for column in facts.columns
        ],
    }


def _sources(facts: Facts) -> Iterator[dict[str, Any]]:
    """Counts and licence of each source."""
    if not facts.sources:
        return
    names = {"source": "sc:Text", "licence": "sc:Text"} | dict.fromkeys(facts.sources[0].counts, "sc:Integer")
    yield {
        "@type": "cr:RecordSet",
        "@id": "sources",
        "name": "sources",
        "description": "What each source gave, and its licence.",
        "field": [
            {"@type": "cr:Field", "@id": f"sources/{_key(name)}", "name": _key(name), "dataType": kind}
            for name, kind in names.items()
        ],
        "data": [
            {
                "sources/source": printable(one.name),
                "sources/licence": printable(facts.config.licence(one.name)),
                **{f"sources/{_key(name)}": count for name, count in one.counts.items()},
            }
            for one in facts.sources
        ],
    }


def _key(name: str) -> str:
    return name.replace(" ", "_")
