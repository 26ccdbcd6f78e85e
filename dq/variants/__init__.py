"""Variants: views of the token pool at one budget, with a manifest that proves what is in them."""

from dq.variants.annealed import Trunk
from dq.variants.config import StreamConfig
from dq.variants.documents import Universe
from dq.variants.kind import Kind
from dq.variants.kinds.curated import Curated
from dq.variants.kinds.noisy import Noisy
from dq.variants.kinds.raw import Raw
from dq.variants.kinds.repeated import Repeated
from dq.variants.manifest import Manifest, PartMeasure, Variant
from dq.variants.noise.replacement import TokenNoise
from dq.variants.parts import Part
from dq.variants.spec import KINDS, KindDescription, VariantSpec, describe_kinds
from dq.variants.stream import Stream
from dq.variants.universe import open_universe, variant_inputs

__all__ = [
    "KINDS",
    "Curated",
    "Kind",
    "KindDescription",
    "Manifest",
    "Noisy",
    "Part",
    "PartMeasure",
    "Raw",
    "Repeated",
    "Stream",
    "StreamConfig",
    "TokenNoise",
    "Trunk",
    "Universe",
    "Variant",
    "VariantSpec",
    "describe_kinds",
    "open_universe",
    "variant_inputs",
]
