"""A rubric: criteria with weights, each judged by itself, their points summed."""

import functools
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator

from reference_impl.judge.error import JudgeConfigError
from reference_impl.judge.verdict import JudgeVerdict

_CONFIG = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Setting(BaseModel):
    model_config = _CONFIG

    def __init__(self, **values: Any):
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "as a whole"
            raise JudgeConfigError(
                f"{type(self).__name__} is wrong, {place}: {first['msg']}."
            ) from None


class Criterion(_Setting):
    """One thing to judge.

    Attributes:
        name: What its score is called, in lower-case letters, digits and underscores.
        description: What the judge looks at.
        weight: What the highest score adds to the reward. Below 0 for a fault.
        max_score: The highest score. 1 asks whether the criterion is met or not.

    Raises:
        JudgeConfigError: If a value is not one of those.

    Example:
        >>> Criterion(name="correct", description="The result is right.", weight=3).max_score
        1

    Explained in :ref:`judge-rubrics`.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    description: Annotated[str, Field(min_length=1)]
    weight: float = 1.0
    max_score: Annotated[int, Field(ge=1, le=100)] = 1

    @field_validator("weight", mode="before")
    @classmethod
    def _check_weight(cls, weight: object) -> object:
        if type(weight) not in (int, float) or not 0 < abs(weight) <= 1e6:
            raise ValueError("a weight is a number that is not 0, up to a million")
        return float(weight)


class RubricVerdict(JudgeVerdict):
    """The scores of the criteria. Each rubric has a schema of its own, made from this one.

    Attributes:
        rationale: Why.
        scores: The score of each criterion, by its name.

    Explained in :ref:`judge-rubrics`.
    """

    scores: BaseModel


class Rubric(_Setting):
    r"""A list of criteria, and how their scores become one reward.

    .. math:: r = \max\left(0, \frac{\sum_i w_i s_i / m_i}{\sum_{w_i > 0} w_i}\right)

    with the weights :math:`w`, the scores :math:`s` and the highest scores :math:`m`. All that is
    good gives 1. A fault takes away, but not below 0.

    Attributes:
        criteria: The criteria, at least one of them with a weight above 0.

    Raises:
        JudgeConfigError: If two criteria share a name, or none has a weight above 0.

    Source:
        HealthBench (Arora et al. 2025, arXiv:2505.08775) sums the points of criteria, negative
        ones among them, over the positive total. It clips the mean, where this clips each sample.

    Example:
        >>> rubric = Rubric(
        ...     criteria=(
        ...         Criterion(name="correct", description="The result is right.", weight=3),
        ...         Criterion(name="rude", description="It is rude.", weight=-1),
        ...     )
        ... )
        >>> rubric.reward({"correct": 1, "rude": 1})
        0.6666666666666666

    Explained in :ref:`judge-rubrics`.
    """

    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1, max_length=50)]

    @field_validator("criteria")
    @classmethod
    def _check_criteria(cls, criteria: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
        names = [criterion.name for criterion in criteria]
        if len(set(names)) < len(names):
            raise ValueError("two criteria have the same name")
        if not any(criterion.weight > 0 for criterion in criteria):
            raise ValueError("no criterion has a weight above 0, so that nothing could be paid")
        return criteria

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a rubric from a TOML file with a table `[[criteria]]` for each criterion.

        Args:
            path: The file.

        Returns:
            The rubric.

        Raises:
            JudgeConfigError: If there is no such file, or it has another form.
        """
        path = Path(path)
        try:
            content = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:  # TOMLDecodeError is a ValueError
            raise JudgeConfigError(f"The rubric {path.name} cannot be read: {error}") from error
        tables = content.pop("criteria", None)
        if content or not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            raise JudgeConfigError(f"The rubric {path.name} must have [[criteria]] tables alone.")
        return cls(criteria=tuple(Criterion(**table) for table in tables))

    @property
    def schema(self) -> type[RubricVerdict]:
        """The verdict to ask for, with a whole number for each criterion, from 0 to its highest."""
        return _schema_of(self)

    def reward(self, scores: Mapping[str, int]) -> float:
        """Sum the points of the criteria.

        Args:
            scores: The score of each criterion, by its name.

        Returns:
            The reward, from 0 to 1.
        """
        points = sum(
            criterion.weight * scores[criterion.name] / criterion.max_score
            for criterion in self.criteria
        )
        best = sum(criterion.weight for criterion in self.criteria if criterion.weight > 0)
        return min(1.0, max(0.0, points / best))

    def describe(self) -> dict[str, str]:
        """Write the criteria and the form of the scores for a prompt.

        Returns:
            The fields `criteria` and `scores` of a template.
        """
        lines = [f"- {c.name} (0-{c.max_score}): {c.description}" for c in self.criteria]
        scores = {criterion.name: 0 for criterion in self.criteria}
        return {"criteria": "\n".join(lines), "scores": json.dumps(scores)}


@functools.lru_cache(maxsize=64)
def _schema_of(rubric: Rubric) -> type[RubricVerdict]:
    scores = create_model(
        "Scores",
        __config__=_CONFIG,
        **{
            criterion.name: (int, Field(ge=0, le=criterion.max_score))
            for criterion in rubric.criteria
        },
    )
    return create_model("RubricVerdict", __base__=RubricVerdict, scores=(scores, ...))
