"""What to train next, by a fitted law: every answer with the interval that the runs leave it."""

from __future__ import annotations

from dq.scaling.plans.approaches import Approach, Approaches, SplitWithoutLaw, approaches
from dq.scaling.plans.ask import Plans, answer
from dq.scaling.plans.back_test import BackTest, back_test
from dq.scaling.plans.basis import Basis
from dq.scaling.plans.choice import VariantChoice, choose_variant
from dq.scaling.plans.efficiency import EfficiencyPlan, sample_efficiency, tokens_for_loss
from dq.scaling.plans.envelope import Envelope, envelope
from dq.scaling.plans.epochs import EpochPlan, best_epochs
from dq.scaling.plans.forecast import Forecast, ForecastScore, forecast, read_forecast, score_forecast, write_forecast
from dq.scaling.plans.frontier import frontier
from dq.scaling.plans.isoflop import Isoflop, isoflop
from dq.scaling.plans.lifetime import LifetimePlan, cheapest_lifetime
from dq.scaling.plans.optimal import ComputePlan, compute_optimal
from dq.scaling.plans.prediction import Prediction, predict_runs
from dq.scaling.plans.quantity import Quantity
from dq.scaling.plans.questions import Questions
from dq.scaling.plans.reply import Reply, cautions_on
from dq.scaling.plans.saturation import Saturation, saturation
from dq.scaling.plans.surface import RESAMPLES, Surface
from dq.scaling.plans.worth import RepeatOrNoise, repeat_or_noise

__all__ = [
    "RESAMPLES",
    "Approach",
    "Approaches",
    "BackTest",
    "Basis",
    "ComputePlan",
    "EfficiencyPlan",
    "Envelope",
    "EpochPlan",
    "Forecast",
    "ForecastScore",
    "Isoflop",
    "LifetimePlan",
    "Plans",
    "Prediction",
    "Quantity",
    "Questions",
    "RepeatOrNoise",
    "Reply",
    "Saturation",
    "SplitWithoutLaw",
    "Surface",
    "VariantChoice",
    "answer",
    "approaches",
    "back_test",
    "best_epochs",
    "cautions_on",
    "cheapest_lifetime",
    "choose_variant",
    "compute_optimal",
    "envelope",
    "forecast",
    "frontier",
    "isoflop",
    "predict_runs",
    "read_forecast",
    "repeat_or_noise",
    "sample_efficiency",
    "saturation",
    "score_forecast",
    "tokens_for_loss",
    "write_forecast",
]
