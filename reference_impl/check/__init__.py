"""The check of a reward that somebody wrote: `python -m reference_impl.check`."""

from reference_impl.check.cases import Case, CasesError, read_cases
from reference_impl.check.checker import check_reward_fn
from reference_impl.check.findings import Finding
from reference_impl.check.report import CheckReport

__all__ = [
    "Case",
    "CasesError",
    "CheckReport",
    "Finding",
    "check_reward_fn",
    "read_cases",
]
