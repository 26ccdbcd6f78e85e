"""Batch jobs: a YAML file becomes a finished workspace, stage by stage."""

from dq.jobs.cluster import ClusterPlan, Nodes, plan_cluster
from dq.jobs.forecast import JobForecast, forecast_job
from dq.jobs.job import JobConfig
from dq.jobs.plan import JobPlan, plan_job
from dq.jobs.run import JobResult, run_job

__all__ = [
    "ClusterPlan",
    "JobConfig",
    "JobForecast",
    "JobPlan",
    "JobResult",
    "Nodes",
    "forecast_job",
    "plan_cluster",
    "plan_job",
    "run_job",
]
