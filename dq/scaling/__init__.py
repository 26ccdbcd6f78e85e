"""Laws of the loss: fitted to any table of runs, with what the runs determine and what they do not.

Knows tables only: numpy, scipy, polars. A law is one file of `dq.scaling.laws`.
"""

from __future__ import annotations

from dq.scaling.bootstrap import Bootstrap
from dq.scaling.collapse import Collapse, collapse
from dq.scaling.fit import Fit, FitOptions, FitStatus, fit, objective_at
from dq.scaling.heldout import HeldOut
from dq.scaling.identified import Identification, Identified
from dq.scaling.known import LawDescription, describe_laws
from dq.scaling.profile import ParameterInterval, Profile
from dq.scaling.selection import Candidate, Selection, select
from dq.scaling.sharing import Sharing, fits_by_variant, sharing
from dq.scaling.summary import summary

__all__ = [
    "Bootstrap",
    "Candidate",
    "Collapse",
    "Fit",
    "FitOptions",
    "FitStatus",
    "HeldOut",
    "Identification",
    "Identified",
    "LawDescription",
    "ParameterInterval",
    "Profile",
    "Selection",
    "Sharing",
    "collapse",
    "describe_laws",
    "fit",
    "fits_by_variant",
    "objective_at",
    "select",
    "sharing",
    "summary",
]
