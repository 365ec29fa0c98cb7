"""Composition: one reward made of several, and what a group of rewards turns into."""

from reference_impl.compose.advantages import (
    dr_grpo_advantages,
    gdpo_advantages,
    grpo_advantages,
    rloo_advantages,
)
from reference_impl.compose.composite import AsyncComposite, Composed, Composite
from reference_impl.compose.error import ComponentError
from reference_impl.compose.gate import AsyncGate, Gate
from reference_impl.compose.means import ComponentMean, ComponentMeans
from reference_impl.compose.product import AsyncProduct, Product
from reference_impl.compose.transformed import AsyncTransformedReward, Clip, TransformedReward
from reference_impl.compose.weighted_sum import AsyncWeightedSum, WeightedSum

__all__ = [
    "AsyncComposite",
    "AsyncGate",
    "AsyncProduct",
    "AsyncTransformedReward",
    "AsyncWeightedSum",
    "Clip",
    "ComponentError",
    "ComponentMean",
    "ComponentMeans",
    "Composed",
    "Composite",
    "Gate",
    "Product",
    "TransformedReward",
    "WeightedSum",
    "dr_grpo_advantages",
    "gdpo_advantages",
    "grpo_advantages",
    "rloo_advantages",
]
