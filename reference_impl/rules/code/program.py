"""Find the program in a completion."""

import re

from reference_impl.contract.reward_fn import check_text
from reference_impl.rules.end_tokens import strip_end_tokens

_FENCE = re.compile(r" {0,3}(`{3,})[ \t]*([^`\s]*)[^`]*")
_PYTHON = frozenset({"python", "python3", "py"})


def extract_program(completion: str) -> str | None:
    r"""Return the program that a completion commits to.

    It is the last fenced block that is marked as `python`, `python3` or `py`.
    Blocks of other kinds and without a mark do not count. What stands before `</think>` does not
    count either. If the last such block is never closed, there is no program: an earlier one was
    given up, and this one was cut off.

    Args:
        completion: The completion, as text.

    Returns:
        The source, or None if there is none.

    Raises:
        InvalidSampleError: If the completion is not a str.

    Source:
        Fenced code blocks as in CommonMark, section 4.5, without those of tildes.

    Example:
        >>> extract_program("First\n```python\nx = 1\n```\nor rather\n```python\nx = 2\n```\n")
        'x = 2\n'
        >>> extract_program("```\nx = 1\n```")

    Explained in :ref:`code-execution`.
    """
    text = check_text("completions", completion)
    text = text[text.rfind("</think>") + len("</think>") :] if "</think>" in text else text
    if "<think>" in text:
        return None
    program, fence, block = None, "", None
    for line in strip_end_tokens(text).split("\n"):
        if fence:
            mark = line.strip()
            if len(mark) >= len(fence) and not mark.strip("`"):
                program = program if block is None else "".join(block)
                fence, block = "", None
            elif block is not None:
                block.append(f"{line}\n")
        elif opened := _FENCE.fullmatch(line):
            fence = opened[1]
            block = [] if opened[2].lower() in _PYTHON else None
    return None if block is not None else program
