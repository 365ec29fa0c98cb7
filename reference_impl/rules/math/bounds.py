r"""Refuse an answer that is too large to be one, before anything parses or computes it.

The limits are far above any answer of a data set. What they let through can still be expensive;
the symbolic step therefore runs in a process that ends at its deadline (`worker`).
"""

import re

MAX_CHARACTERS = 1_000
MAX_DIGITS = 400
MAX_DEPTH = 30
MAX_EXPONENT = 10_000
MAX_FACTORIAL = 1_000

_BRACKET = re.compile(r"[\[({]|[\])}]")
_DIGITS = re.compile(rf"[0-9]{{{MAX_DIGITS + 1}}}")
_EXPONENT = re.compile(r"(?:\^|\*\*)\s*+[({]?\s*+-?([0-9]{5,})")
_TOWER = re.compile(r"(?:\^|\*\*)[\s({]*+[0-9.]+[\s)}]*+(?:\^|\*\*)")
_FACTORIAL = re.compile(r"([0-9]{4,})[\s)}]*+!|!\s*+!\s*+!|\)!\s*+\)?!")


def why_too_large(answer: str) -> str:
    r"""Say why an answer is too large to be verified.

    Args:
        answer: A bare answer.

    Returns:
        The limit that it exceeds, in words, or "" if it exceeds none: 1,000 characters, 400 digits
        in a row, brackets 30 deep, the exponent 10,000, a number raised to a power of a power, the
        factorial of 1,000, three factorials of one another.

    Example:
        >>> why_too_large("9^{9^{9}}")
        'a power of a power'
        >>> why_too_large(r"\frac{1}{2}")
        ''

    Explained in :ref:`math-clock`.
    """
    if len(answer) > MAX_CHARACTERS:
        return f"longer than {MAX_CHARACTERS:,} characters"
    if _DIGITS.search(answer):
        return f"more than {MAX_DIGITS} digits"
    if _deeper_than(answer, MAX_DEPTH):
        return f"brackets more than {MAX_DEPTH} deep"
    if "^" in answer or "**" in answer:
        if any(int(power[1]) > MAX_EXPONENT for power in _EXPONENT.finditer(answer)):
            return f"an exponent above {MAX_EXPONENT:,}"
        if _TOWER.search(answer):
            return "a power of a power"
    if "!" in answer:
        for factorial in _FACTORIAL.finditer(answer):
            if factorial[1] is None or int(factorial[1]) > MAX_FACTORIAL:
                return f"a factorial above {MAX_FACTORIAL:,}"
    return ""


def _deeper_than(answer: str, limit: int) -> bool:
    depth = 0
    for bracket in _BRACKET.finditer(answer):
        depth += 1 if bracket.group() in "[({" else -1
        if depth > limit:
            return True
    return False
