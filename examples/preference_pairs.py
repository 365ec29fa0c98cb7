"""Preference pairs from questions that have one right answer.

Each question of reasoning-gym gets one good completion and four bad ones, one of each kind.
Nobody has to judge anything: what is good and what is bad follows from the answer.

What a model may use besides: a refusal has no working, and most broken endings have no last line
that begins with ####. The wrong number stands nowhere else in its completion, most of the time.
The families of stories are the same in each split, with other names and numbers.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from phrases import BROKEN_ENDINGS, CONCLUSIONS, OPENERS, REFUSALS

KINDS = ("off-topic", "refusal", "format", "wrong number")
SPLITS = ("train", "dev", "test")
# Longer stories are left out, so that training takes two minutes on a processor.
MOST_CHARACTERS = 320
INSTRUCTION = "Show your working. Last line: ####, then the number."


@dataclass(frozen=True)
class Question:
    """A question, its answer, and the working that leads there.

    Attributes:
        text: The question.
        gold: The right answer, a whole number.
        working: Lines of working. The last one ends in the answer.
    """

    text: str
    gold: str
    working: str


@dataclass(frozen=True)
class Comparison:
    """One prompt with a good completion, and a bad one of each kind.

    Attributes:
        prompt: The question, and the form that the answer must have.
        gold: The right answer.
        chosen: The good completion.
        rejected: The bad completions, by kind.
    """

    prompt: str
    gold: str
    chosen: str
    rejected: dict[str, str]


def comparisons(sizes: dict[str, int], seed: int) -> dict[str, list[Comparison]]:
    """Make comparisons for each split. No question is in two of them.

    Refusals and broken endings of "dev" and "test" are worded as no text of "train" is.

    Args:
        sizes: How many questions each split gets. Half are sums, half are stories.
        seed: Seed of everything.

    Returns:
        The comparisons by split.
    """
    sums, stories = _unique(_sums(seed)), _unique(_stories(seed))
    made = {}
    for split, size in sizes.items():
        rng = random.Random(f"{seed} {split}")
        questions = [next(stories if index % 2 else sums) for index in range(size)]
        rng.shuffle(questions)
        made[split] = [_comparison(question, questions, split, rng) for question in questions]
    return made


def wrong_number(gold: str, rng: random.Random) -> str:
    """Draw a number that is not the answer but could be: near it, or with a digit changed."""
    number = int(gold)
    digits = list(str(abs(number)))
    place = rng.randrange(len(digits))
    digits[place] = rng.choice("123456789")
    changed = int("".join(digits)) * (-1 if number < 0 else 1)
    near = number + rng.choice((-20, -10, -3, -2, -1, 1, 2, 3, 10, 20))
    return str(rng.choice([choice for choice in (near, changed) if choice != number]))


def _comparison(
    question: Question, others: list[Question], split: str, rng: random.Random
) -> Comparison:
    gold = question.gold
    other = rng.choice(others)
    while other.gold == gold:
        other = rng.choice(others)
    solution = _solution(question, rng)
    return Comparison(
        prompt=f"{question.text}\n{INSTRUCTION}",
        gold=gold,
        chosen=f"{solution}\n#### {gold}",
        rejected={
            "off-topic": f"{_solution(other, rng)}\n#### {other.gold}",
            "refusal": _refusal(split, rng),
            "format": f"{solution}\n{rng.choice(BROKEN_ENDINGS[split]).format(gold)}".strip(),
            "wrong number": f"{solution}\n#### {wrong_number(gold, rng)}",
        },
    )


def _solution(question: Question, rng: random.Random) -> str:
    conclusion = rng.choice(CONCLUSIONS).format(question.gold)
    return "\n".join(filter(None, [rng.choice(OPENERS), question.working, conclusion]))


def _refusal(split: str, rng: random.Random) -> str:
    sentences = rng.sample(REFUSALS[split], rng.choice((1, 2)))
    return " ".join(sentences) + rng.choice(("", "", "\n#### unknown", "\n#### none"))


def _sums(seed: int) -> Iterator[Question]:
    for entry in _entries("chain_sum", seed, min_terms=2, max_terms=3, max_digits=2):
        terms = re.findall(r"[+-]|\d+", entry["metadata"]["expression"])
        total, lines = int(terms[0]), []
        for sign, term in zip(terms[1::2], terms[2::2], strict=True):
            before, total = total, total + int(sign + term)
            lines.append(f"{before} {sign} {term} = {total}")
        yield Question(entry["question"], entry["answer"], "\n".join(lines))


def _stories(seed: int) -> Iterator[Question]:
    for entry in _entries("gsm_symbolic", seed):
        gold = entry["answer"]
        working, marker, final = entry["metadata"]["answer_cot"].partition("\n####")
        # The data set's own working does not always arrive at its answer. Leave those out.
        arrives = re.findall(r"\d+", working.replace(",", "").splitlines()[-1])
        short = len(entry["question"]) + len(working) <= MOST_CHARACTERS
        if short and marker and final.strip() == gold and gold in arrives:
            yield Question(entry["question"], gold, working.strip())


def _entries(task: str, seed: int, **settings: int) -> Iterator[dict]:
    import reasoning_gym

    # Entry i of a data set is drawn with seed + i, so neighbouring seeds would share entries.
    dataset = reasoning_gym.create_dataset(task, seed=seed * 10_000_000, size=10**6, **settings)
    return iter(dataset)


def _unique(questions: Iterator[Question]) -> Iterator[Question]:
    seen = set()
    for question in questions:
        if question.text not in seen:
            seen.add(question.text)
            yield question
