r"""Decide which answer a mathematical completion commits to, if it commits to one.

`statements` finds what looks like an answer, `doubt` tells what may be believed. Here stands what
follows from both.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from reference_impl.rules.math.doubt import Standing, corrections, is_taken_back, standing
from reference_impl.rules.math.phrase import named_answer
from reference_impl.rules.math.statements import (
    CLOSINGS,
    MARKS,
    MAX_CHARACTERS,
    Statement,
    closing_statement,
    marked_statements,
)

DEFAULT_MATH_FORMS = (*MARKS, *CLOSINGS)
# More answers than this are no commitment, and every one of them would have to be verified.
MAX_DIFFERENT = 20
_DELIBERATE = ("boxed", "hash", "tag", "final phrase", "bracket")


@dataclass(frozen=True)
class FinalAnswer:
    """What a completion commits to.

    Attributes:
        texts: The answer as it is written, once for each different way in which it is stated.
            All of them must be right. Empty if the completion commits to nothing.
        form: The form of the last statement, such as "boxed", or "" if there is none.
        reason: Why there is no answer, or "".

    Explained in :ref:`math-final-answer`.
    """

    texts: tuple[str, ...] = ()
    form: str = ""
    reason: str = ""


# What ends the model's turn. What follows is not its answer any more.
_TURN_TOKEN = re.compile(
    r"<[|｜](?:im_end|eot_id|endoftext|end|eom_id|end▁of▁sentence|im_start|start_header_id)[|｜]>"
    r"|</s>|<eos>|<end_of_turn>|<start_of_turn>"
)
_TURN_LINE = re.compile(
    r"\n(?:(?:User|Human|用户|人类)\s?[:：]|#{1,6}\ (?:User|Human|System|Instruction|Input)\s?:)"
)
_NEXT_TURN = ("User", "Human", "用户", "人类", "# System", "# Instruction", "# Input")
# A base model goes on with a question of its own.
_NEXT_QUESTION = re.compile(r"\n(?:Question|Q|Problem|问题|题目)\s?[:：]")
_NAMES_VALUE = re.compile(r"(?!not\b)[^0-9\\]{0,40}[0-9\\]")
_THOUGHT_END = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_THOUGHT_START = re.compile(r"<(?:think|thinking|thought|reasoning)>", re.IGNORECASE)


def final_answer(
    completion: str, *, prompt: str = "", forms: Collection[str] = DEFAULT_MATH_FORMS
) -> FinalAnswer:
    r"""Return the answer that a completion commits to.

    The rule:

    1. Only the model's own turn counts, and of it only what follows the reasoning
       (`</think>`). A thought that is never closed leaves no answer.
    2. Deliberate marks are boxes, lines after `####`, `<answer>` tags and "the final answer is".
       All of them must be right, so that marks which disagree earn nothing. What takes back an
       earlier one ("wait, that is wrong: ...") makes it void, once.
    3. Without them, "the answer is" (答案是) counts by the same rule. After them, it must agree.
    4. Without any mark, the way in which the last sentence ends counts: a display formula, one
       bold span, "= 72 dollars", a formula. If "number" is among the forms, so does its last
       number.
    5. Nothing counts that is denied, doubted, asked, supposed, quoted, taken back at the end,
       repeated from the prompt, or inside a code block.

    Of what follows the reasoning, the last 100,000 characters are read. Time is linear in the
    length of the text.

    Args:
        completion: The completion, as text.
        prompt: The prompt, as text; what is repeated from it is no statement.
        forms: The forms of a statement that count.

    Returns:
        The answer, or the reason why there is none.

    Example:
        >>> final_answer(r"First \boxed{14}. Wait, I forgot to carry: \boxed{4}.").texts
        ('4',)
        >>> final_answer(r"\boxed{4} \boxed{5}").texts
        ('4', '5')
        >>> final_answer("It is not 42.")
        FinalAnswer(texts=(), form='', reason='no statement of an answer')

    Explained in :ref:`math-final-answer`.
    """
    text = _after_reasoning(completion, prompt)
    if text is None:
        return FinalAnswer(reason="the reasoning is never closed")
    text = text[-MAX_CHARACTERS:]
    statements = marked_statements(text, forms)
    statements = _until_next_question(text, statements)
    if not statements:
        closing = closing_statement(text, forms)
        statements = [closing] if closing else []
    if not statements:
        return FinalAnswer(reason="no statement of an answer")
    believed, standings = _believed(text, statements, prompt)
    if not believed:
        return FinalAnswer(reason=standings[-1].value)
    counted = [statement for statement, _ in believed]
    corrected, denied = corrections(text, counted), standings.count(Standing.DENIED)
    # One correction is honest. A second one is a walk through the candidates.
    if len(corrected) == 1 and not denied:
        counted = counted[corrected[0] :]
    elif denied > 1:
        return FinalAnswer(reason=Standing.DENIED.value)
    if any(how is Standing.HEDGED and statement in counted for statement, how in believed):
        return FinalAnswer(reason=Standing.HEDGED.value)
    if is_taken_back(text, believed[-1][0].end):
        return FinalAnswer(reason="it is taken back")
    if len({statement.text for statement in counted}) > MAX_DIFFERENT:
        return FinalAnswer(reason="too many statements")
    texts = tuple(dict.fromkeys(_named(statement) for statement in counted))
    if not all(texts):
        return FinalAnswer(reason="an empty statement")
    return FinalAnswer(texts, counted[-1].form)


def _after_reasoning(completion: str, prompt: str) -> str | None:
    text = completion
    has_tags = "<" in text
    if has_tags:
        token = _TURN_TOKEN.search(text)
        text = text[: token.start()] if token else text
    thoughts = list(_THOUGHT_END.finditer(text)) if has_tags else []
    if thoughts:
        text = text[thoughts[-1].end() :]
    elif prompt.rstrip().endswith("<think>"):
        return None
    if has_tags and _THOUGHT_START.search(text):
        return None
    line = _TURN_LINE.search(text) if any(name in text for name in _NEXT_TURN) else None
    return text[: line.start()] if line else text


def _until_next_question(text: str, statements: list[Statement]) -> list[Statement]:
    if "\nQ" not in text and "\nP" not in text and "题" not in text:
        return statements
    asked = [question.start() for question in _NEXT_QUESTION.finditer(text)]
    for start in asked:
        answered = [statement for statement in statements if statement.end <= start]
        if answered:
            return answered
    return statements


def _believed(
    text: str, statements: list[Statement], prompt: str
) -> tuple[list[tuple[Statement, Standing]], list[Standing]]:
    """The statements that count, with their standings; and the standings of all that were asked."""
    believed: list[tuple[Statement, Standing]] = []
    standings: list[Standing] = []

    def ask(some: list[Statement]) -> None:
        for statement in some:
            how = standing(text, statement, prompt)
            standings.append(how)
            if how in (Standing.STATED, Standing.HEDGED):
                believed.append((statement, how))

    ask([statement for statement in statements if statement.form in _DELIBERATE])
    last = believed[-1][0].end if believed else -1
    weak = [s for s in statements if s.form not in _DELIBERATE and s.start > last]
    # Behind a mark, "the answer is an integer" is a remark, and "the answer is 5" another answer.
    ask([s for s in weak if last < 0 or _NAMES_VALUE.match(s.text)])
    return believed, standings


def _named(statement: Statement) -> str:
    if "phrase" in statement.form or statement.form in ("tag", "bold"):
        return named_answer(statement.text)
    return statement.text.strip()
