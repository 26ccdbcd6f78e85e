"""Variants: views of the token pool at one budget, with a manifest that proves what is in them."""

from dq.variants.manifest import Manifest, build_manifest
from dq.variants.parts import Part, Universe
from dq.variants.spec import Curated, Noisy, Raw, Repeated, TokenNoise, VariantSpec
from dq.variants.stream import Stream

__all__ = [
    "Curated",
    "Manifest",
    "Noisy",
    "Part",
    "Raw",
    "Repeated",
    "Stream",
    "TokenNoise",
    "Universe",
    "VariantSpec",
    "build_manifest",
]
