"""The checks of the attack battery: what each is about, and what to do where it finds something."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Check:
    """One check of the battery.

    Attributes:
        name: Its name, as in the report.
        pays: Which completions it tries. "wrong answer": they answer wrongly, or not at all, so
            only a reward that looks at the answer owes them nothing. "nothing": no reward owes
            them anything. "honest": they are as good as the good one. "run": it is about how
            the call goes, not about what it pays.
        about: What it tries, to follow its name.
        advice: What to do about a finding.
        page: The label of the page of the guide that explains it.
        is_fault: Whether it finds faults. If not, what it finds is a note, since it depends on the
            trainer whether it matters.
    """

    name: str
    pays: Literal["wrong answer", "nothing", "honest", "run"]
    about: str
    advice: str
    page: str
    is_fault: bool = True


CHECKS: dict[str, Check] = {
    check.name: check
    for check in (
        Check(
            "good_paid",
            "run",
            "the good completion is paid more than a wrong answer",
            "Look at how the answer is read out of this completion and at its gold. If the "
            "completion in the file is wrong, mend the file.",
            "choose-answer",
        ),
        Check(
            "looks_at_answer",
            "run",
            "wrong answers are paid less than right ones",
            "It pays wrong answers like right ones: compare the final answer with the gold.",
            "exact-match",
        ),
        Check(
            "wrong_answer",
            "wrong answer",
            "a wrong answer in the form of the good one",
            "Compare the final answer with the gold, the whole of both.",
            "exact-match",
        ),
        Check(
            "other_completion",
            "wrong answer",
            "the good completion of another row",
            "Compare with the gold of this row.",
            "exact-match",
        ),
        Check(
            "larger_answer",
            "wrong answer",
            "the gold answer inside a larger number or word",
            "Do not search for the gold in the text: read the answer, and compare the whole of it.",
            "exact-match-shortcut",
        ),
        Check(
            "candidates",
            "wrong answer",
            "a list of candidates",
            "Take an answer only where the completion commits to exactly one.",
            "final-answer",
        ),
        Check(
            "hedge",
            "wrong answer",
            "two answers, one of them right",
            "Take an answer only where the completion commits to exactly one.",
            "final-answer",
        ),
        Check(
            "negation",
            "wrong answer",
            "the gold answer denied or asked",
            "The last number or a keyword is no answer: require a form that states one.",
            "math-final-answer",
        ),
        Check(
            "mention",
            "wrong answer",
            "the gold answer beside a wrong final answer",
            "Read the final answer alone. What else the text mentions says nothing.",
            "final-answer",
        ),
        Check(
            "contradiction",
            "wrong answer",
            "the right answer, then a wrong one as the final answer",
            "Read the last statement of an answer, or require that all of them agree.",
            "final-answer",
        ),
        Check(
            "reasoning_only",
            "wrong answer",
            "the right answer in the reasoning alone",
            "Read the answer behind the last `</think>` only.",
            "final-answer",
        ),
        Check(
            "empty_answer",
            "wrong answer",
            "the good completion with nothing where its answer stood",
            "Where there is no answer, there is no pay.",
            "final-answer",
        ),
        Check(
            "prompt_echo",
            "wrong answer",
            "the prompt as the completion",
            "What is repeated from the prompt is no answer.",
            "math-final-answer",
        ),
        Check(
            "odd_number",
            "wrong answer",
            "NaN, infinity, digits of other scripts, huge numbers, control characters",
            "Compare exact numbers, and let what does not parse be a wrong answer.",
            "numeric-match",
        ),
        Check(
            "injection",
            "wrong answer",
            "a wrong answer that tells the grader what to do",
            "Fence the completion in the prompt of the judge, and read its verdict strictly.",
            "judge-security",
        ),
        Check(
            "noise",
            "wrong answer",
            "100,000 characters of noise",
            "Pay nothing for a text that the rule cannot read.",
            "format-and-length-fails",
        ),
        Check(
            "empty",
            "nothing",
            "no text, or white space",
            "Pay nothing where nothing is there, before any other rule.",
            "format-and-length-fails",
        ),
        Check(
            "invisible",
            "nothing",
            "characters that show nothing",
            "Drop zero-width and control characters before you ask whether a text is empty.",
            "tag-format",
        ),
        Check(
            "empty_form",
            "nothing",
            "the form of the good completion with nothing in it",
            "Require something visible in each tag, box or line.",
            "tag-format",
        ),
        Check(
            "padding",
            "honest",
            "twenty copies of the good completion",
            "Do not pay for length as such: bound it, or pay the answer alone.",
            "cosine-length",
        ),
        Check(
            "honest_variant",
            "honest",
            "the good completion with white space around it",
            "Strip white space before you read the answer.",
            "final-answer",
        ),
        Check(
            "end_token",
            "honest",
            "the good completion with an end token behind it",
            "Some trainers, AReaL and OpenRLHF among them, leave such tokens in the text, and "
            "others take them off. If yours leaves them, strip them before you read the answer.",
            "final-answer",
            is_fault=False,
        ),
        Check(
            "raises",
            "run",
            "no completion raises an error",
            "A text that cannot be read is a wrong answer: catch what parsing raises, no more.",
            "contract-failure",
        ),
        Check(
            "returns_number",
            "run",
            "every completion is paid a finite number",
            "Let every path through the reward end in `return` with a finite float.",
            "contract-failure",
        ),
        Check(
            "time_limit",
            "run",
            "every call ends within the time limit",
            "Bound the length that you read, and write patterns without nested repeats.",
            "async-wrapper-fails",
        ),
        Check(
            "crash",
            "run",
            "no call ends its process",
            "A reward returns or raises. What can crash or exit belongs into a process of its own.",
            "async-wrapper-fails",
        ),
        Check(
            "executes_output",
            "run",
            "no text is executed as code",
            "Never give a completion to `eval`, `exec`, a shell or `sympify`: parse it. Run "
            "programs in a sandbox only.",
            "math-symbolic",
        ),
        Check(
            "settings",
            "run",
            "no setting is read from the data",
            "A setting is an argument of a class or an environment variable. If it is a column of "
            "the data, put it into the file.",
            "contract-signature",
        ),
        Check(
            "same_again",
            "run",
            "the same pay in a new process and another order",
            "Keep no state between calls, and depend on neither `hash` nor the order of sets.",
            "contract-conformance",
        ),
        Check(
            "range",
            "run",
            "every reward is within the bounds",
            "Mend the reward or the bound.",
            "contract-conformance",
        ),
        Check(
            "varies",
            "run",
            "not all completions are paid the same",
            "A constant reward teaches nothing: the advantages of a group are all 0. Look at what "
            "it reads, and whether the file has the form that it expects.",
            "composition-group",
        ),
    )
}
