"""The error of the sandbox: the machine's fault, not the completion's."""

from reference_impl.contract.error import RewardError


class SandboxError(RewardError):
    """The sandbox could not run the program, so that nothing is known about it.

    Nothing that a program does leads here: what it does wrong earns 0.0.

    Explained in :ref:`code-execution`.
    """

    reason = "sandbox"
