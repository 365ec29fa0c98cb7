"""Monitoring: figures to log while a reward trains a policy, and detectors of reward hacking."""

from reference_impl.monitor.alarm import Alarm, Reading
from reference_impl.monitor.dominance import ComponentDominance
from reference_impl.monitor.failure_share import FailureShare
from reference_impl.monitor.figures import StepFigures, step_figures
from reference_impl.monitor.length_drift import LengthDrift
from reference_impl.monitor.proxy_gap import Audit, ProxyGap
from reference_impl.monitor.variance_collapse import VarianceCollapse

__all__ = [
    "Alarm",
    "Audit",
    "ComponentDominance",
    "FailureShare",
    "LengthDrift",
    "ProxyGap",
    "Reading",
    "StepFigures",
    "VarianceCollapse",
    "step_figures",
]
