"""Batch jobs: a YAML file becomes a finished workspace, stage by stage."""

from dq.jobs.forecast import JobForecast, forecast_job
from dq.jobs.job import JobConfig
from dq.jobs.plan import JobPlan, plan_job
from dq.jobs.run import JobResult, run_job

__all__ = ["JobConfig", "JobForecast", "JobPlan", "JobResult", "forecast_job", "plan_job", "run_job"]
