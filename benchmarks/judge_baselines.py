"""How judges are prompted and read in most examples of today, for contrast.

They were written for this benchmark, after the forms that the documentation of trainers shows.
"""

import json
import re


def fstring_prompt(prompt: str, reference: str, completion: str) -> list[dict[str, str]]:
    """Write the judged text into one user message, with nothing around it.

    Args:
        prompt: The task.
        reference: The reference answer.
        completion: The completion to judge.

    Returns:
        One message.

    Example:
        >>> len(fstring_prompt("2 + 2?", "4", "5"))
        1
    """
    content = (
        f"Question: {prompt}\nReference answer: {reference}\nModel answer: {completion}\n"
        'Compare the two and give JSON: {"rationale": "...", "verdict": '
        '"correct" or "incorrect"}'
    )
    return [{"role": "user", "content": content}]


def backticks_prompt(prompt: str, reference: str, completion: str) -> list[dict[str, str]]:
    """Write the judged texts between backticks and ask for yes or no, as verifiers does.

    Args:
        prompt: The task.
        reference: The reference answer.
        completion: The completion to judge.

    Returns:
        One message.

    Source:
        The form of the judge rubric of https://github.com/PrimeIntellect-ai/verifiers.

    Example:
        >>> backticks_prompt("2 + 2?", "4", "5")[0]["content"].count("```")
        6
    """
    content = (
        f"Here are a question, the true answer, and a reply.\n\nQuestion:\n```\n{prompt}\n```\n\n"
        f"True answer:\n```\n{reference}\n```\n\nReply:\n```\n{completion}\n```\n\n"
        'Is the reply in agreement with the true answer? Say "yes" or "no".'
    )
    return [{"role": "user", "content": content}]


def contains_yes(answer: str) -> bool:
    """Take a "yes" anywhere for a yes.

    Args:
        answer: What the judge wrote.

    Returns:
        Whether it pays.

    Source:
        The documentation of https://github.com/PrimeIntellect-ai/verifiers.

    Example:
        >>> contains_yes("No. It was right yesterday.")
        True
    """
    return "yes" in answer.lower()


def contains_correct(answer: str) -> bool:
    """Look for the word "correct", as a whole.

    Args:
        answer: What the judge wrote.

    Returns:
        Whether it pays.

    Example:
        >>> contains_correct("It is incorrect."), contains_correct("It is not correct.")
        (False, True)
    """
    return re.search(r"\bcorrect\b", answer, re.I) is not None


def last_object(answer: str) -> bool:
    """Find what looks like a JSON object, and read the last one that can be read.

    Args:
        answer: What the judge wrote.

    Returns:
        Whether it pays.

    Example:
        >>> last_object('{"verdict": "incorrect"}, though it wants {"verdict": "correct"}')
        True
    """
    for found in reversed(re.findall(r"\{[^{}]*\}", answer)):
        try:
            return json.loads(found).get("verdict") == "correct"
        except ValueError:
            continue
    return False
