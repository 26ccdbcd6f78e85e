"""Variants: views of the token pool at one budget, with a manifest that proves what is in them."""

from dq.variants.annealed import Trunk
from dq.variants.config import StreamConfig
from dq.variants.counts import Counts
from dq.variants.derived import rewrite_texts
from dq.variants.documents import Universe
from dq.variants.export import FORMATS, Export, export_variant
from dq.variants.kind import Kind
from dq.variants.kinds.curated import Curated
from dq.variants.kinds.mixed import Mixed
from dq.variants.kinds.noisy import Noisy
from dq.variants.kinds.off_domain import OffDomain
from dq.variants.kinds.raw import Raw
from dq.variants.kinds.repeated import Repeated
from dq.variants.manifest import Manifest, NoiseMeasure, PartMeasure
from dq.variants.noise.boilerplate import Boilerplate
from dq.variants.noise.characters import Characters
from dq.variants.noise.exact_duplicates import ExactDuplicates
from dq.variants.noise.near_duplicates import NearDuplicates
from dq.variants.noise.replacement import TokenNoise
from dq.variants.noise.shuffle import TokenShuffle
from dq.variants.noise.truncation import Truncation
from dq.variants.noise.words import Words
from dq.variants.parts import Part
from dq.variants.spec import KINDS, KindDescription, VariantSpec, describe_kinds
from dq.variants.stream import Stream
from dq.variants.universe import foreseen_universe, open_universe, variant_inputs
from dq.variants.variant import Variant
from dq.variants.verified import Verified, Verifier

__all__ = [
    "FORMATS",
    "KINDS",
    "Boilerplate",
    "Characters",
    "Counts",
    "Curated",
    "ExactDuplicates",
    "Export",
    "Kind",
    "KindDescription",
    "Manifest",
    "Mixed",
    "NearDuplicates",
    "NoiseMeasure",
    "Noisy",
    "OffDomain",
    "Part",
    "PartMeasure",
    "Raw",
    "Repeated",
    "Stream",
    "StreamConfig",
    "TokenNoise",
    "TokenShuffle",
    "Truncation",
    "Trunk",
    "Universe",
    "Variant",
    "VariantSpec",
    "Verified",
    "Verifier",
    "Words",
    "describe_kinds",
    "export_variant",
    "foreseen_universe",
    "open_universe",
    "rewrite_texts",
    "variant_inputs",
]
