"""Adapters: one reward function in the shape of each trainer, one file a trainer."""

from reference_impl.adapters.areal import ArealAgent, ArealReward, check_areal_row
from reference_impl.adapters.batch import MissingColumnError
from reference_impl.adapters.ms_swift import SwiftReward
from reference_impl.adapters.nemo_rl import NemoRLReward
from reference_impl.adapters.openrlhf import OpenRLHFReward
from reference_impl.adapters.roll import RollReward
from reference_impl.adapters.skyrl import SkyRLReward
from reference_impl.adapters.slime import SlimeReward
from reference_impl.adapters.trl import TRLReward
from reference_impl.adapters.verifiers import VerifiersReward, VerifiersRubricReward
from reference_impl.adapters.verl import VerlReward
from reference_impl.adapters.versions import UnprovenVersionError

__all__ = [
    "ArealAgent",
    "ArealReward",
    "MissingColumnError",
    "NemoRLReward",
    "OpenRLHFReward",
    "RollReward",
    "SkyRLReward",
    "SlimeReward",
    "SwiftReward",
    "TRLReward",
    "UnprovenVersionError",
    "VerifiersReward",
    "VerifiersRubricReward",
    "VerlReward",
    "check_areal_row",
]
