"""Files to files: score, filter, deduplicate, and what that would cost. The commands call these and add nothing."""

from dq.files.dedup import DedupResult, dedup_files, parse_bytes
from dq.files.filter import FilterResult, filter_files
from dq.files.forecast import Forecast, forecast_cost
from dq.files.passages import PassagesResult, audit_passages, cut_passages
from dq.files.pieces import Scoring
from dq.files.score import ScoreResult, score_files
from dq.files.semantic import SemanticAudit, SemanticResult, audit_semantic, semdedup_files

__all__ = [
    "DedupResult",
    "FilterResult",
    "Forecast",
    "PassagesResult",
    "ScoreResult",
    "Scoring",
    "SemanticAudit",
    "SemanticResult",
    "audit_passages",
    "audit_semantic",
    "cut_passages",
    "dedup_files",
    "filter_files",
    "forecast_cost",
    "parse_bytes",
    "score_files",
    "semdedup_files",
]
