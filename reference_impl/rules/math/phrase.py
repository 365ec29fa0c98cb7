r"""Take the answer out of the sentence that states it: "The answer is 72 dollars because ...".

What explains the answer goes, and what leads to it. What qualifies it stays, so that the whole is
no number any more: "more than 72" is not 72.
"""

import re

from reference_impl.rules.math.statements import FORMULA, last_side
from reference_impl.rules.number import parse_number

MAX_CHARACTERS = 1_000

# "72 dollars." needs no further look.
_PLAIN = re.compile(r"(-?[$¥€£]?[0-9]{1,15}(?:\.[0-9]{1,15})?%?(?: [a-z]{3,15})?)[.。]?")

# What follows one of these explains the answer, or says what it is not.
_CONNECTOR = re.compile(
    r",?\ +(?:because|since|as|which|where|when|after|given\ that|in\ total|altogether|in\ all|"
    r"(?:and|but)\ not|rather\ than)\b|[，,]\s?(?:因为|由于|其中|即|而不是)",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"\A(?:[:：=\s*_✓✔✅]|(?:equal\ to|exactly|simply|just|therefore|thus|approximately|about|"
    r"roughly|option|choice|选项|选|是|为|约为?|大约)(?![a-z])){0,5}",
    re.IGNORECASE,
)
_HEDGED_REST = re.compile(r"\b(?:or|otherwise|also|else)\b.*[0-9]|[0-9].*\b(?:otherwise|also)\b")
# "(about 0.357)" and "(half an hour)" repeat the answer in other words.
_ASIDE = re.compile(
    r"(?:\s+[(（]|（)(?:(?:about|approximately|approx\.?|roughly|i\.e\.|that\ is|≈|约|即)"
    r"[^()（）]*+|[^()（）0-9\\$]++)[)）][\s.。]*\Z",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_NUMBER = re.compile(
    r"(?<![\w.])-?[$¥€£]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:/[0-9]+)?(?![\w/])\ ?%?"
)
# A sentence of these alone is no formula and no quotation.
_IN_WORDS = re.compile(r"(?:[A-Za-z\u4e00-\u9fff0-9\s.,，:：%€£¥/'’-]|\$(?=[0-9]))+")
# Around a number, each of these makes it another number, or none.
_QUALIFIES = re.compile(
    r"\b(?:or|and|but|not|no|never|maybe|perhaps|either|unless|less|fewer|more|greater|than|least|most|"
    r"about|around|nearly|almost|half|third|quarter|twice|double|triple|times|minus|plus|divided|"
    r"squared|cubed|over|under|below|above|between|except|other|add|subtract|percent|hundred|"
    r"thousand|million|billion|dozen|wrong|if|unknown|undefined)\b|n['’]t\b"
    r"|[或和不没非少多超倍半约减加乘除差万亿千百几未错假误]|至少|至多",
    re.IGNORECASE,
)
_UNITS_OF_THOUSAND = re.compile("千[克米瓦]")


def named_answer(sentence: str) -> str:
    """Return the answer that a sentence names.

    Args:
        sentence: What follows a mark such as "the answer is", to the end of its sentence.

    Returns:
        The answer as it is written. A sentence that names no single answer is returned whole.

    Example:
        >>> named_answer("72 dollars because 48 + 24 = 72.")
        '72 dollars'
        >>> named_answer("There are **207** boys.")
        '207'
        >>> named_answer("more than 72.")
        'more than 72'

    Explained in :ref:`math-final-answer`.
    """
    plain = _PLAIN.fullmatch(sentence)
    if plain:
        return plain[1]
    content = " ".join(sentence[:MAX_CHARACTERS].split())
    content = content[_LEAD.match(content).end() :]
    for spans in (_BOLD, FORMULA):
        found = list(spans.finditer(content))
        if len(found) == 1 and _only_words(content[: found[0].start()], content[found[0].end() :]):
            inside = found[0][1] or found[0][2]
            return last_side(inside).strip() if spans is FORMULA else named_answer(inside)
    connector = _CONNECTOR.search(content)
    if connector and not _HEDGED_REST.search(content, connector.start()):
        content = content[: connector.start()]
    content = _ASIDE.sub("", content)
    content = _without_display_end(content.replace("**", " ").strip(" \t*_.。✓✔✅🎉"))
    return _only_number(content) or content


def _only_words(before: str, after: str) -> bool:
    """Whether a span stands among words that say nothing else; a unit belongs to the span."""
    rest = f"{before} {after}"
    words = re.findall(r"\w+", rest)
    if any(char.isdigit() for char in rest) or _QUALIFIES.search(rest):
        return False
    return len(words) > 2 or (bool(words) and parse_number(f"1 {after.strip(' .。')}") is None)


def _only_number(content: str) -> str:
    """The one number of a sentence in words, with the unit behind it, or ""."""
    if not _IN_WORDS.fullmatch(content) or parse_number(content) is not None:
        return ""
    numbers = list(_NUMBER.finditer(content))
    if len(numbers) != 1 or any(map(str.isdigit, _NUMBER.sub("", content))):
        return ""
    if _QUALIFIES.search(_UNITS_OF_THOUSAND.sub("", content)):
        return ""
    number, rest = numbers[0].group().strip(), content[numbers[0].end() :].split()
    for words in (2, 1):
        with_unit = f"{number} {' '.join(rest[:words])}"
        quantity = parse_number(with_unit)
        if quantity is not None and quantity.unit:
            return with_unit
    return number


def _without_display_end(content: str) -> str:
    for closing, opening in (("\\]", "\\["), ("$$", "$$")):
        if content.endswith(closing) and opening not in content[:-2]:
            return content[:-2].strip()
    return content
