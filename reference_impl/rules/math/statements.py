r"""Find the statements of an answer in a completion: marked ones, or how its last sentence ends.

A statement is text that says what the answer is: a box, a line after `####`, "the answer is ...".
Whether it may be believed (negated? quoted? taken back?) is the business of `commitment`.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from reference_impl.rules.answer import _BRACE
from reference_impl.rules.math.plain import read_plain

MARKS = ("boxed", "hash", "tag", "final phrase", "phrase")
CLOSINGS = ("display", "bold", "equals", "formula")
FORMS = (*MARKS, "bracket", *CLOSINGS, "number")

# Only so much of a text is looked at, and so many of its last statements: a text of a million
# marks must not cost more than one of a few.
MAX_CHARACTERS = 100_000
MAX_STATEMENTS = 60
MAX_SIDES = 20


@dataclass(frozen=True)
class Statement:
    """One statement of an answer.

    Attributes:
        form: One of `FORMS`.
        text: The answer as it is written.
        start: Where the statement begins in the text, its mark included, in characters.
        end: Where it ends.
    """

    form: str
    text: str
    start: int
    end: int


# The mark of a factorial ends no sentence.
_SENTENCE_END = re.compile(r"""[\n。！？]|(?:[.?]|(?<![0-9)}])!)[*_"'”’)\]$`]*+(?=\s|\Z)""")

# "the answer is", "Answer: ", "**Final Answer**: ", "### Answer" with the answer on the next line.
_PHRASE_EN = re.compile(
    r"(?i:answer)(?!\w)"
    r"(?:\ to\ (?:the|this|your)\ (?:question|problem))?"
    r"(?:(?P<said>[*_]{0,3}\ {0,2}(?:(?i:is|equals|should\ be|must\ be|will\ be|comes\ to)(?!\w)"
    r"(?:[*_]{0,3}\ {0,2}[:：])?|[:：=]))|[*_]{0,3}[ \t]{0,4}(?=\n))"
)
_PHRASE_ZH = re.compile(
    r"(?P<said>答案)(?:应该|应当|就)?(?:[是为]|等于|(?=[*_]{0,3}\ {0,2}[:：]))"
    r"[*_]{0,3}\ {0,2}[:：]?|(?P<bracket>答案】)|答案[*_]{0,3}[ \t]{0,4}(?=\n)"
)
# "72 is the answer": the phrase behind its content.
_BEFORE_PHRASE = re.compile(
    r"(\S{1,80})\ is\ (?:(?i:the|my|our)\ )(?P<final>(?i:final|correct)\ )?\Z"
)
# "答：小明一共有 12 个苹果。" at the head of a line, as in school mathematics.
_REPLY_ZH = re.compile(r"(?:(?<=\n)|\A)[*_ ]{0,4}答[*_]{0,3}[:：][*_]{0,3}")
_PHRASES = {"answer": _PHRASE_EN, "Answer": _PHRASE_EN, "ANSWER": _PHRASE_EN, "答案": _PHRASE_ZH}
_HEADING = re.compile(r"[#*_ \t]{0,12}(?i:(?:the|my|our)\ )?(?i:final\ )?")
# "So the answer is correct." names no answer.
_CONFIRMS = re.compile(
    r"(?:(?i:indeed|also|therefore|thus|clearly|definitely) )?(?i:correct|right|verified|confirmed|"
    r"consistent|reasonable|valid|checked|sensible|plausible|as expected|unique)(?!\w)"
    r"|正确|对的|合理"
)
_FINAL = re.compile(r"(?:(?i:final|correct)\ {1,2}|最终|最后的?|正确)\Z")
_AFTER_MARK = re.compile(r"[ \t*_]*+\n?[ \t*_]*+(?:\n[ \t]*+)?(?:(?:\\\[|\$\$)\s*+)?")

_HASH_CONTENT = re.compile(
    r"[ \t*_]*+(?=[-+0-9０-９$＄\\(\[{.¥￥€£−－]|[零〇一二两三四五六七八九十百千万亿负])"
)

_STEP = re.compile(r"[ \t*_]*+[0-9]{1,2}[.)、]\s*[^\W0-9]")
_BRACKET = re.compile(r"(?<!\\)\[([^\[\]\n]{1,100})\](?!\()")
_TAG = re.compile(r"<answer>|</answer>")
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
# "$50 - $36" is money: a formula has spaces on both inner sides or on none, and no digit behind it.
_IN_FORMULA = r"(?:[^$\\\n]|\\[^\n]){1,400}"
FORMULA = re.compile(
    rf"(?<![\\$])\$((?=[^\s$]){_IN_FORMULA}(?<=\S)|\ {_IN_FORMULA}\ )\$(?![$0-9])"
    r"|\\\(([^\n]{1,400}?)\\\)"
)
_DISPLAY_END = re.compile(r"(?:\\\]|\$\$)[\s.。]*+\Z")
_ALIGNMENT = re.compile(r"\\(?:begin|end)\{(?:aligned|align\*?|equation\*?|gather\*?)\}|&")
_EQUALS = re.compile(r"(?<![<>!=\\:])=(?![=<>])|＝")
_APPROXIMATES = re.compile(r"\\approx(?![a-zA-Z])|≈")
# What a chat model says behind its answer.
_PLEASANTRY = re.compile(
    r"(?:\s*(?:(?:I\ )?[Hh]ope\ (?:this|that|it)\ (?:helps|is\ (?:correct|clear))|[Ll]et\ me\ know|"
    r"Feel\ free|希望|如果你?还有|如有)[^\n]{0,200})+\s*\Z"
)
_SO = re.compile(r"(?<!\w)(?i:so|thus|hence|therefore|then)(?!\w)|所以|因此|从而|故|得到?")
_SEVERAL = re.compile(r"[,;，；]|\\quad|\\text|(?<!\w)(?:or|and)(?!\w)|[或和且]")
_NUMBER = re.compile(
    r"(?:(?<![\w)])[-−－])?[$¥€£]?(?:[0-9０-９]++(?:[,，][0-9０-９]{3}(?![0-9０-９]))*"
    r"(?:[.．][0-9０-９]++)?|\.[0-9]++)(?:/[0-9]++|\ ?\\?%)?"
)


def marked_statements(text: str, forms: Collection[str] = MARKS) -> list[Statement]:
    """Return the statements that carry a mark, in the order in which they stand.

    Args:
        text: A completion without its reasoning.
        forms: The forms to look for. "bracket" is a number in square brackets, on the last line
            that has one.

    Returns:
        Boxes, `####` lines, answer tags and answer phrases, the last 60 of them. One around
        another (the phrase in "the answer is \\boxed{4}") is left out, unless it says more.

    Example:
        >>> [s.text for s in marked_statements(r"The answer is \\boxed{4}. So: #### 4")]
        ['4', '4']

    Explained in :ref:`math-final-answer`.
    """
    found = [*_boxes(text), *_hashes(text), *_tags(text), *_phrases(text), *_brackets(text)]
    found = [statement for statement in found if statement.form in forms]
    last = sorted(found, key=lambda statement: statement.end)[-MAX_STATEMENTS:]
    kept: list[Statement] = []
    for statement in sorted(last, key=lambda statement: statement.end - statement.start):
        inside = [s for s in kept if statement.start <= s.start and s.end <= statement.end]
        if not inside or _says_more(text, statement, inside):
            kept.append(statement)
    return sorted(kept, key=lambda statement: (statement.start, -statement.end))


def closing_statement(text: str, forms: Collection[str] = CLOSINGS) -> Statement | None:
    """Return how an unmarked text ends: on a formula, on a bold span, on "= 72 dollars".

    Args:
        text: A completion without its reasoning and without marked statements.
        forms: The forms to look for. "number" is the last number of the last sentence.

    Returns:
        The statement, or None.

    Example:
        >>> closing_statement("Add them up: 48 + 24 = 72 dollars.").text
        '72 dollars'
        >>> closing_statement("So there are 72.") is None
        True

    Explained in :ref:`math-final-answer`.
    """
    pleasantry = _PLEASANTRY.search(text, max(0, len(text) - 400))
    text = text[: pleasantry.start()] if pleasantry else text
    display = _display_at_end(text) if "display" in forms else None
    if display is not None:
        return display
    start, sentence = _last_sentence(text)
    for form, find in _AT_END.items():
        found = find(sentence) if form in forms else None
        if found is not None:
            content, first, last = found
            return Statement(form, content, start + first, start + last)
    return None


def sentence_around(text: str, start: int, end: int) -> tuple[str, str]:
    """Return what stands before and after a span in its sentence, at most 80 characters each."""
    before = text[max(0, start - 80) : start].rpartition("\n")[2]
    begin = 0
    for stop in _SENTENCE_END.finditer(before):
        begin = stop.end() if stop.end() < len(before) else begin
    after = text[end : end + 80]
    stop = _SENTENCE_END.search(after)
    return before[begin:], after[: stop.end()] if stop else after


def _boxes(text: str) -> list[Statement]:
    first = text.find("\\boxed")
    if first < 0:
        return []
    boxes: list[Statement] = []
    opened: list[tuple[int, int]] = []  # where a brace and its content start; -1: no box
    for token in _BRACE.finditer(text, first):
        kind = token.group()
        if kind == "{":
            opened.append((-1, token.end()))
        elif kind == "}" and opened:
            start, content = opened.pop()
            if start >= 0:
                while boxes and boxes[-1].start > start:  # of nested boxes the outermost counts
                    boxes.pop()
                boxes.append(Statement("boxed", text[content : token.start()], start, token.end()))
        elif kind.startswith("\\boxed"):
            opened.append((token.start(), token.end()))
    unclosed = [start for start, _ in opened if start >= 0]
    if unclosed and (not boxes or unclosed[-1] > boxes[-1].start):
        boxes.append(Statement("boxed", "", unclosed[-1], len(text)))
    return boxes


def _hashes(text: str) -> list[Statement]:
    found, last_line = [], len(text.rstrip())
    position = text.find("####")
    while position >= 0:
        start = position + 4
        while text.startswith("#", start):
            start += 1
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        # "#### Step 2" is a heading; what is no number is an answer on the last line alone.
        is_number = _HASH_CONTENT.match(text, start, end) and not _STEP.match(text, start, end)
        if is_number or end >= last_line:
            found.append(Statement("hash", text[start:end].strip(), position, end))
        position = text.find("####", end)
    return found


def _tags(text: str) -> list[Statement]:
    if "<answer>" not in text:
        return []
    found, start, content = [], -1, -1
    for tag in _TAG.finditer(text):
        if tag.group() == "<answer>":
            start, content = tag.span()
        elif start >= 0:
            found.append(Statement("tag", text[content : tag.start()].strip(), start, tag.end()))
            start = -1
    if start >= 0:
        found.append(Statement("tag", text[content:].strip(), start, len(text)))
    return found


def _phrases(text: str) -> list[Statement]:
    marks, found = [], []
    # str.find skips ahead by whole words; a case-insensitive pattern looks at every letter.
    for word, pattern in _PHRASES.items():
        position = text.find(word)
        while position >= 0:
            near = text.rfind(" is ", max(0, position - 20), position) >= 0
            behind = near and _BEFORE_PHRASE.search(text, max(0, position - 100), position)
            if behind:
                found.append(_reversed_phrase(behind, position + len(word)))
            elif not (word.isascii() and text[position - 1 : position].isalpha()):
                mark = pattern.match(text, position)
                if mark and (mark.lastgroup or _is_heading(text, position)):
                    marks.append(mark)
            position = text.find(word, position + len(word))
    if "答" in text:
        marks += list(_REPLY_ZH.finditer(text))
    for mark in sorted(marks, key=lambda mark: mark.start())[-MAX_STATEMENTS:]:
        content = _AFTER_MARK.match(text, mark.end()).end()
        stop = _SENTENCE_END.search(text, content)
        end = len(text) if stop is None else stop.start() if stop.group() == "\n" else stop.end()
        form = "phrase"
        if _FINAL.search(text, max(0, mark.start() - 8), mark.start()):
            form = "final phrase"
        if not _CONFIRMS.match(text, content):
            found.append(Statement(form, text[content:end].strip(), mark.start(), end))
    return found


def _reversed_phrase(behind: re.Match[str], end: int) -> Statement:
    form = "final phrase" if behind["final"] else "phrase"
    return Statement(form, behind[1], behind.start(1), end)


def _is_heading(text: str, position: int) -> bool:
    return _HEADING.fullmatch(text, text.rfind("\n", 0, position) + 1, position) is not None


def _brackets(text: str) -> list[Statement]:
    end = text.rfind("]") + 1
    if not end:
        return []
    start = text.rfind("\n", 0, end) + 1
    return [
        Statement("bracket", bracket[1].strip(), *bracket.span())
        for bracket in _BRACKET.finditer(text, start, end)
    ]


def _says_more(text: str, outer: Statement, inside: list[Statement]) -> bool:
    if outer.form == "tag":
        return False
    rest, position = [], outer.start
    for inner in sorted(inside, key=lambda statement: statement.start):
        rest.append(text[position : max(position, inner.start)])
        position = max(position, inner.end)
    rest.append(text[position : outer.end])
    return any(char.isdigit() for char in "".join(rest))


def _display_at_end(text: str) -> Statement | None:
    closing = _DISPLAY_END.search(text[-200:])
    if closing is None:
        return None
    end = max(0, len(text) - 200) + closing.start()
    mark = text[end : end + 2]
    start = text.rfind("\\[" if mark == "\\]" else "$$", 0, end)
    if start < 0 or end - start > 2_000:
        return None
    content = _ALIGNMENT.sub(" ", text[start + 2 : end]).strip()
    return Statement("display", last_side(content), start, len(text))


def _last_sentence(text: str) -> tuple[int, str]:
    line_start = text.rstrip().rfind("\n") + 1
    line = text[line_start:].rstrip()
    begin = 0
    for stop in _SENTENCE_END.finditer(line):
        if stop.end() < len(line):
            begin = stop.end()
    sentence = line[begin:].lstrip()
    return line_start + len(line) - len(sentence), sentence


def _bold_at_end(sentence: str) -> tuple[str, int, int] | None:
    spans = list(_BOLD.finditer(sentence))
    if len(spans) != 1 or not any(char.isdigit() or char == "\\" for char in spans[0][1]):
        return None
    return last_side(spans[0][1].strip()), *spans[0].span()


def _equals_at_end(sentence: str) -> tuple[str, int, int] | None:
    # An equation inside a formula belongs to the formula; its last formula is what counts.
    if FORMULA.search(sentence) or not (_EQUALS.search(sentence) or _APPROXIMATES.search(sentence)):
        return None
    conclusion = sentence[max((word.end() for word in _SO.finditer(sentence)), default=0) :]
    side = last_side(conclusion if _EQUALS.search(conclusion) else sentence).rstrip(".。 ")
    start = sentence.rfind(side)
    return side, start, start + len(side)


def _formula_at_end(sentence: str) -> tuple[str, int, int] | None:
    found = list(FORMULA.finditer(sentence, max(0, len(sentence) - 2_000)))
    return (last_side((found[-1][1] or found[-1][2]).strip()), *found[-1].span()) if found else None


def _number_at_end(sentence: str) -> tuple[str, int, int] | None:
    found = list(_NUMBER.finditer(sentence))
    return (found[-1].group(), *found[-1].span()) if found else None


_AT_END = {
    "bold": _bold_at_end,
    "equals": _equals_at_end,
    "formula": _formula_at_end,
    "number": _number_at_end,
}


def last_side(formula: str) -> str:
    """Return what follows the last equality sign of a chain, if there is one.

    Args:
        formula: A formula or a sentence.

    Returns:
        The right-hand side. A list of equations ("x = 1, y = 2") is returned whole, and so are a
        chain whose numbers differ ("2 + 2 = 4 = 5"), an equation to be solved ("2x = 6"), and the
        value of a letter ("x = 3").

    Example:
        >>> last_side("48 + 24 = 72")
        '72'
        >>> last_side("x = 1, y = 2")
        'x = 1, y = 2'

    Explained in :ref:`math-final-answer`.
    """
    signs = list(_EQUALS.finditer(formula))
    if not signs:
        # "9 \sqrt{3} \approx 15.59" stays whole: both sides say what the answer is.
        about = _APPROXIMATES.search(formula)
        named = about and not any(
            char.isdigit() or char == "\\" for char in formula[: about.start()]
        )
        return formula[about.end() :].strip() if named else formula
    left = formula[: signs[0].start()].strip()
    if len(signs) == 1 and (_LETTER.fullmatch(left) or _is_implicit(left)):
        return formula
    between = formula[signs[0].end() : signs[-1].start()]
    if len(signs) > 1 and _SEVERAL.search(between):
        return formula
    last = formula[signs[-1].end() :].strip()
    ends = [sign.start() for sign in signs[1:]]
    sides = [formula[a.end() : b].strip() for a, b in zip(signs, ends, strict=False)]
    numbers = {read_plain(side).quantity for side in (*sides[-MAX_SIDES:], last)} - {None}
    # "2 + 2 = 4 = 5" is no equation: whoever reads it whole sees that it contradicts itself.
    return last if len({number.value for number in numbers}) <= 1 else formula


_LETTER = re.compile(r"[A-Za-z]")
_NAMED_PARTS = re.compile(r"\\[A-Za-z]+|_\{?\w+\}?|\^\{?-1\}?|(?<=\w)\([^()]*\)|\$")


def _is_implicit(side: str) -> bool:
    """Whether an equation with this left side must be solved: 7x + 2y, but not f(2) or x_1."""
    bare = _NAMED_PARTS.sub(" ", side)
    letters = [char for char in bare if char.isascii() and char.isalpha()]
    words = re.search(r"[A-Za-z]{3}", bare)
    return bool(letters) and not words and any(char.isdigit() for char in bare)
