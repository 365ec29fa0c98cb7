"""The runtime: rewards in worker processes, which a timeout ends and a crash cannot spread."""

from reference_impl.runtime.blocking import BlockingReward
from reference_impl.runtime.cache import CacheCounts, CachedReward
from reference_impl.runtime.error import (
    RemoteRewardError,
    RewardLoadError,
    RewardTimeoutError,
    WorkerCrashedError,
    WrapperClosedError,
)
from reference_impl.runtime.wrapper import AsyncRewardWrapper

__all__ = [
    "AsyncRewardWrapper",
    "BlockingReward",
    "CacheCounts",
    "CachedReward",
    "RemoteRewardError",
    "RewardLoadError",
    "RewardTimeoutError",
    "WorkerCrashedError",
    "WrapperClosedError",
]
