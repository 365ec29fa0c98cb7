r"""The task of the small policy, sums of four numbers, and careless demonstrations of it.

The task: "What is 3 + 6 + 1 + 4?", four numbers from 1 to 6. There are 1,296 such questions. 296 of
them, always the same, are held out: no training sees them. Each single step, such as 9 + 1, does
occur in training, and so may the same numbers in another order. What a held-out question asks for
is to put known steps together anew.

The warm-up is supervised learning on demonstrations as a careless person might write them:

- half of them give running totals, "3, 9, 10, 14. The answer is \boxed{14}.", but where a number
  should be carried, that is forgotten more often than not (9 + 1 becomes 0);
- a quarter lists candidates close to the sum, and picks one of them at random;
- a quarter says "It is 14." or a number close to it, without the required form.

So the policy can add before reinforcement learning, but it mostly does not. Reinforcement learning
brings out what is rare in it. It teaches no new arithmetic, and nothing here shows that it could:
what the policy never says is never paid. Steps that are rare in the demonstrations, such as
16 + 6, may stay wrong to the end.
"""

import itertools
import random
from collections.abc import Sequence

from reference_impl import Accuracy, numeric_match_reward_fn, wilson_interval

Question = tuple[int, ...]

TERMS = 4
HIGHEST = 6
HELD_OUT = 296

ANSWER = r". The answer is \boxed{"
# Beside numbers, all that questions and demonstrations are made of. A piece is a token.
PIECES = ("What is ", " + ", "?\n", ", ", " or ", "Perhaps ", "It is ", ANSWER, "}.", ".")
MAX_TOKENS = 20  # of a completion; a demonstration has at most 14

FORMS = {"totals": 0.5, "candidates": 0.25, "bare": 0.25}
FORGETS_CARRY = 0.55
NEAR = 4  # how far a candidate is from the sum, at most


def split() -> tuple[list[Question], list[Question]]:
    """Divide all questions into those to train on and those held out, always in the same way."""
    questions = list(itertools.product(range(1, HIGHEST + 1), repeat=TERMS))
    random.Random(0).shuffle(questions)
    return questions[HELD_OUT:], questions[:HELD_OUT]


def prompt(question: Question) -> str:
    """Write a question as the policy reads it.

    Example:
        >>> prompt((3, 6, 1, 4))
        'What is 3 + 6 + 1 + 4?\\n'
    """
    return f"What is {' + '.join(map(str, question))}?\n"


def answer(question: Question) -> str:
    """Return the gold answer.

    Example:
        >>> answer((3, 6, 1, 4))
        '14'
    """
    return str(sum(question))


def rows(questions: Sequence[Question]) -> dict[str, list[str]]:
    """Return the columns of a data set: `prompt` and `answer`."""
    return {"prompt": [prompt(q) for q in questions], "answer": [answer(q) for q in questions]}


def demonstration(question: Question, rng: random.Random) -> str:
    """Write a completion as a careless person might; see the top of this file."""
    [form] = rng.choices(list(FORMS), FORMS.values())
    if form == "totals":
        totals = [question[0]]
        for number in question[1:]:
            totals.append(_careless_sum(totals[-1], number, rng))
        return ", ".join(map(str, totals)) + f"{ANSWER}{totals[-1]}}}."
    total = sum(question)
    near = range(max(1, total - NEAR), total + NEAR + 1)
    if form == "bare":
        return f"It is {rng.choice(near)}."
    *others, last = rng.sample(near, rng.randint(2, 5))
    listed = f"Perhaps {', '.join(map(str, others))} or {last}"
    return f"{listed}{ANSWER}{rng.choice([*others, last])}}}."


def _careless_sum(first: int, second: int, rng: random.Random) -> int:
    total = first + second
    carries = first % 10 + second >= 10
    return total - 10 if carries and rng.random() < FORGETS_CARRY else total


def accuracy(completions: Sequence[str], gold: Sequence[str]) -> Accuracy:
    """Measure the share of completions whose final answer is right, by the rule of this package."""
    right = sum(
        numeric_match_reward_fn("", completion, [], [], answer=each)
        for completion, each in zip(completions, gold, strict=True)
    )
    return Accuracy(right / len(gold), *wilson_interval(right, len(gold)), len(gold))
