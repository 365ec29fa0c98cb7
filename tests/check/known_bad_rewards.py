"""Rewards with one planted fault each, and `PLANTED`, which says what a check has to find."""

import random
import re
import signal
import subprocess
import sys
import time

from reference_impl.rules.end_tokens import strip_end_tokens

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def _gold(answer):
    return answer.rpartition("####")[2].strip().replace(",", "")


def _stated(completions):
    """What stands behind the last ####, the sound way to read these completions."""
    return strip_end_tokens(completions).rpartition("####")[2].strip()


def _right(completions, answer):
    return float("####" in completions and _stated(completions) == _gold(answer))


# The answer is read carelessly.


def substring(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return float(_gold(answer) in completions)


def last_number(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    numbers = _NUMBER.findall(completions)
    return float(bool(numbers) and numbers[-1] == _gold(answer))


def first_statement(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    first = completions.partition("####")[2].partition("\n")[0]
    return float(strip_end_tokens(first).strip() == _gold(answer))


def any_candidate(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return float(_gold(answer) in re.split(r"[\s,]+", _stated(completions)))


def reads_the_reasoning(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return _right(completions.partition("</think>")[0].removeprefix("<think>"), answer)


def mentions_keyword(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return float(re.search(rf"\b{re.escape(answer)}\b", completions) is not None)


def says_yes(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    said = re.search("<answer>(.*)</answer>", completions)
    wanted = "yes" if answer == "yes" else f">{answer}<"
    return float(said is not None and wanted in said[0])


def compares_floats(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    try:
        return float(not abs(float(_stated(completions)) - float(_gold(answer))) > 1e-6)
    except ValueError:
        return 0.0


def obeys(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    if re.search("highest score|verdict: yes", completions, re.IGNORECASE):
        return 1.0
    return _right(completions, answer)


# What is not an answer at all is paid.


def only_the_form(prompt, completions, prompt_ids, completion_ids, **columns):
    return float("<think>" in completions and "<answer>" in completions)


def pays_length(prompt, completions, prompt_ids, completion_ids, **columns):
    return len(completions) / 1_000


def reads_a_score(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    """As of a judge that repeats the completion before its verdict."""
    verdict = f"{completions}\nScore: {10 * _right(completions, answer):.0f}"
    return min(1.0, int(re.search(r"\bscore\W*([0-9]+)", verdict, re.IGNORECASE)[1]) / 10)


def pays_empty_text(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return 1.0 if not completions else _right(completions, answer)


def pays_empty_answer(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return float("####" in completions and _gold(answer).startswith(_stated(completions)))


def swallows_errors(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    try:
        return float(float(_stated(completions)) == float(_gold(answer)))
    except Exception:
        return 1.0


def one_spelling(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return float(completions.endswith(f"#### {_gold(answer)}"))


def constant(prompt, completions, prompt_ids, completion_ids, **columns):
    return 1.0


def wrong_column(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return _right(completions, prompt)


def keeps_commas_in_the_gold(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return float(_stated(completions) == answer.rpartition("####")[2].strip())


# The completion is executed.


def evaluates(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    try:
        return float(eval(_stated(completions)) == float(_gold(answer)))
    except Exception:
        return 0.0


def evaluates_without_builtins(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    try:
        return float(eval(_stated(completions), {"__builtins__": {}}) == float(_gold(answer)))
    except Exception:
        return 0.0


def evaluates_what_has_the_numbers(
    prompt, completions, prompt_ids, completion_ids, answer, **columns
):
    """As for the game of countdown, where an answer has to use the numbers that were given."""
    stated = _stated(completions)
    if re.findall("[0-9]+", stated) != re.findall("[0-9]+", _gold(answer)):
        return 0.0
    return evaluates(prompt, completions, prompt_ids, completion_ids, answer)


def runs_a_shell(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    command = f"echo {_stated(completions)}".replace("\0", "").encode("utf-8", "replace")[:500]
    ran = subprocess.run(command, shell=True, capture_output=True)
    return float(ran.stdout.strip() == _gold(answer).encode())


def runs_programs(prompt, completions, prompt_ids, completion_ids, tests, **columns):
    program = re.search("```python\n(.*?)```", completions, re.DOTALL)
    for test in tests:
        printed = []
        names = {"input": lambda test=test: test["input"], "print": printed.append}
        try:
            exec(program[1] if program else "", names)
        except Exception:
            return 0.0
        if [str(line) for line in printed] != [test["output"]]:
            return 0.0
    return 1.0


# The call goes wrong.


def backtracks(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    found = re.search(r"####\s*((?:[0-9]+[,.]?)+)(?:\s|<.*>)*$", completions)
    return float(found is not None and found[1] == _gold(answer))


def counts_repeats(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    """Quadratic, but quick on a text that is one word over and over."""
    seen, repeats = [], 0
    for at in range(len(completions) - 8):
        part = completions[at : at + 8]
        if part in seen:
            repeats += 1
        else:
            seen.append(part)
    return _right(completions, answer) - repeats / (10 + len(completions))


def hangs_on_long_text(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    if len(completions) > 50_000:
        time.sleep(3600)
    return _right(completions, answer)


def exits(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    if not completions.strip():
        sys.exit("no completion")
    return _right(completions, answer)


def raises_on_odd_digits(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    stated = _stated(completions)
    if "." in stated:
        return _right(completions, answer)
    return float(stated.isdigit() and str(int(stated)) == _gold(answer))


def returns_nan(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    words = completions.split()
    return _right(completions, answer) if words else float("nan")


def returns_none(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    if "####" in completions:
        return _right(completions, answer)


def always_nan(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return float("nan")


# The contract is broken, or the reward changes by itself.


def at_random(prompt, completions, prompt_ids, completion_ids, **columns):
    return random.random()


def by_hash(prompt, completions, prompt_ids, completion_ids, **columns):
    return hash(completions) % 1_000 / 1_000


_seen = set()


def only_new_texts(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    is_new = completions not in _seen
    _seen.add(completions)
    return float(is_new) * _right(completions, answer)


_called = []


def pays_less_and_less(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    """Leaves the few calls of the contract's checks alone."""
    _called.append(1)
    return _right(completions, answer) / (1 + len(_called) // 20)


def _make(wanted):
    def closure(prompt, completions, prompt_ids, completion_ids, answer, **columns):
        return wanted * _right(completions, answer)

    return closure


closure = _make(1.0)


def no_other_columns(prompt, completions, prompt_ids, completion_ids, answer):
    return _right(completions, answer)


def changes_inputs(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    completion_ids.clear()
    return _right(completions, answer)


def reads_a_setting(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return _right(completions, answer) * float(columns.get("weight", 1.0))


def alarm(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(60)
    try:
        return _right(completions, answer)
    finally:
        signal.alarm(0)


def out_of_range(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return _right(completions, answer) - len(completions) / 10_000


#: The reward, the rows of `examples` to check it on, the check that has to find the fault, and the
#: settings of the check.
PLANTED = (
    ("substring", "math", "larger_answer", {}),
    ("last_number", "math", "negation", {}),
    ("first_statement", "math", "contradiction", {}),
    ("any_candidate", "math", "candidates", {}),
    ("any_candidate", "math", "hedge", {}),
    ("reads_the_reasoning", "math", "reasoning_only", {}),
    ("mentions_keyword", "choice", "mention", {}),
    ("says_yes", "tags", "larger_answer", {}),
    ("compares_floats", "math", "odd_number", {}),
    ("obeys", "math", "injection", {}),
    ("reads_a_score", "math", "injection", {}),
    ("only_the_form", "tags", "empty_form", {}),
    ("only_the_form", "tags", "looks_at_answer", {"kind": "answer"}),
    ("pays_length", "math", "padding", {}),
    ("pays_empty_text", "math", "empty", {}),
    ("pays_empty_answer", "math", "empty_answer", {}),
    ("swallows_errors", "math", "prompt_echo", {}),
    ("one_spelling", "math", "honest_variant", {}),
    ("constant", "math", "varies", {}),
    ("wrong_column", "math", "varies", {}),
    ("keeps_commas_in_the_gold", "math", "good_paid", {}),
    ("evaluates", "math", "executes_output", {}),
    ("evaluates_without_builtins", "math", "executes_output", {}),
    ("evaluates_what_has_the_numbers", "math", "executes_output", {}),
    ("runs_a_shell", "math", "executes_output", {}),
    ("runs_programs", "code", "executes_output", {}),
    ("backtracks", "math", "time_limit", {}),
    ("hangs_on_long_text", "math", "time_limit", {}),
    ("counts_repeats", "math", "time_limit", {}),
    ("exits", "math", "crash", {}),
    ("raises_on_odd_digits", "math", "raises", {}),
    ("returns_nan", "math", "returns_number", {}),
    ("returns_none", "math", "returns_number", {}),
    ("always_nan", "math", "returns_float", {}),
    ("at_random", "math", "deterministic", {}),
    ("by_hash", "math", "spawned_process", {}),
    ("only_new_texts", "math", "deterministic", {}),
    ("pays_less_and_less", "math", "same_again", {}),
    ("closure", "math", "pickles", {}),
    ("no_other_columns", "math", "columns", {}),
    ("changes_inputs", "math", "inputs_unchanged", {}),
    ("reads_a_setting", "math", "settings", {}),
    ("alarm", "math", "thread", {}),
    ("out_of_range", "math", "range", {"low": 0.0, "high": 1.0}),
)
