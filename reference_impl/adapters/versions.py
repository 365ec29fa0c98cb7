"""Which versions of the trainers the adapters were proven with."""

import os
import warnings
from importlib.metadata import PackageNotFoundError, version

#: Distribution -> the versions whose first numbers these are. `tests/trainers` proves each.
PROVEN = {
    "areal": ("1.0.",),
    "ms-swift": ("4.6.",),
    "openrlhf": ("0.11.",),
    "skyrl-gym": ("0.4.",),
    "trl": ("1.16.",),
    "verifiers": ("0.3.", "0.4."),
    "verl": ("0.9.",),
}
#: Set to `allow`, a version that was not proven is a warning instead of an error.
VARIABLE = "REWARD_ADAPTERS_UNPROVEN"


class UnprovenVersionError(RuntimeError):
    """The installed trainer is none of the versions that its adapter was proven with.

    Explained in :ref:`trainers-proof`.
    """


def check_version(trainer: str) -> None:
    """Refuse a trainer that may call its reward in another way than the adapter expects.

    A trainer that is not installed passes: an adapter can be made and tested without it.

    Args:
        trainer: The name of its distribution.

    Raises:
        UnprovenVersionError: If the installed version is not in the proven range, and the
            environment does not hold `REWARD_ADAPTERS_UNPROVEN=allow`.

    Explained in :ref:`trainers-proof`.
    """
    try:
        installed = version(trainer)
    except PackageNotFoundError:
        return
    if installed.startswith(PROVEN[trainer]):
        return
    proven = " or ".join(f"{numbers}*" for numbers in PROVEN[trainer])
    problem = f"{trainer} {installed} is installed, and its adapter is proven with {proven} only."
    if os.environ.get(VARIABLE) == "allow":
        warnings.warn(problem, stacklevel=3)
        return
    raise UnprovenVersionError(
        f"{problem} Install a proven version, or set {VARIABLE}=allow and look at the first "
        "rewards yourself."
    )
