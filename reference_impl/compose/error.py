"""The error of a composite reward: which component failed, and why."""

from reference_impl.contract.error import RewardError, describe_error


class ComponentError(RewardError):
    """A component of a composite reward failed, so the composite has no value either.

    It is counted under the component's own reason, so that an outage of a judge is the same
    outage whether the judge is asked alone or as a part. The error of the component is its
    `__cause__`, as long as it stays in one process.

    Args:
        component: The name of the component, with dots from the outermost composite inwards.
        reason: The fixed word that the component's failure is counted under.
        problem: The component's error, in one line.

    Attributes:
        component: As given.
        reason: As given.
        problem: As given.

    Example:
        >>> raise ComponentError("style.kind", "unparsable", "no verdict")
        Traceback (most recent call last):
            ...
        reference_impl.compose.error.ComponentError: the component `style.kind` failed: no verdict

    Explained in :ref:`composition-failure`.
    """

    def __init__(self, component: str, reason: str, problem: str):
        super().__init__(component, reason, problem)  # what an error pickles with
        self.component = component
        self.reason = reason
        self.problem = problem

    def __str__(self) -> str:
        return f"the component `{self.component}` failed: {self.problem}"


def component_error(name: str, error: Exception) -> ComponentError:
    """Say that the component of this name failed with this error."""
    if isinstance(error, ComponentError):
        return ComponentError(f"{name}.{error.component}", error.reason, error.problem)
    if isinstance(error, RewardError):
        return ComponentError(name, error.reason, describe_error(error))
    return ComponentError(name, f"exception:{type(error).__name__}", describe_error(error))
