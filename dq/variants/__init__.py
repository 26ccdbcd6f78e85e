"""Variants: views of the token pool at one budget, with a manifest that proves what is in them."""

from dq.variants.manifest import Manifest, PartMeasure, Variant
from dq.variants.parts import Part, Universe
from dq.variants.spec import AnyVariant, Curated, Noisy, Raw, Repeated, TokenNoise, VariantSpec
from dq.variants.stream import Stream
from dq.variants.universe import open_universe, variant_inputs

__all__ = [
    "AnyVariant",
    "Curated",
    "Manifest",
    "Noisy",
    "Part",
    "PartMeasure",
    "Raw",
    "Repeated",
    "Stream",
    "TokenNoise",
    "Universe",
    "Variant",
    "VariantSpec",
    "open_universe",
    "variant_inputs",
]
