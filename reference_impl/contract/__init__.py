"""The contract: what a reward function takes and returns, how it fails, how to check one."""

from reference_impl.contract.conformance import (
    CheckResult,
    ConformanceReport,
    NonconformingRewardError,
    check_conformance,
)
from reference_impl.contract.error import (
    InvalidGoldError,
    InvalidRewardError,
    InvalidSampleError,
    RewardError,
)
from reference_impl.contract.failure import AsyncGuardedReward, FailureCounts, GuardedReward
from reference_impl.contract.reward_fn import (
    RewardFn,
    check_reward,
    check_text,
    load_reward_fn,
)

__all__ = [
    "AsyncGuardedReward",
    "CheckResult",
    "ConformanceReport",
    "FailureCounts",
    "GuardedReward",
    "InvalidGoldError",
    "InvalidRewardError",
    "InvalidSampleError",
    "NonconformingRewardError",
    "RewardError",
    "RewardFn",
    "check_conformance",
    "check_reward",
    "check_text",
    "load_reward_fn",
]
