r"""Tell whether a statement of an answer may be believed: is it denied, doubted, asked, quoted?

A statement counts by default. Each rule here takes away what an optimizer would otherwise use to
name the gold without saying that it is the answer. The word lists are English and Chinese; what
they cost honest completions is measured by the tests and shown on the page.
"""

import re
from enum import Enum

from reference_impl.rules.math.statements import Statement, sentence_around


class Standing(Enum):
    """How a completion holds to one of its statements."""

    STATED = "stated"
    HEDGED = "it is a guess, or one of several"
    DENIED = "it is denied"
    ASKED = "it is asked, supposed or somebody else's"
    QUOTED = "it is quoted, commented out or repeated from the prompt"


# Where a rule looks at words, it looks at those that govern the statement: at the end of the clause
# before it, or at its beginning. "Not" anywhere would cost "those who do not play are \boxed{12}".
_UP_TO_HERE = r"[\s$*_({\[“\"\\:：]*\Z"

_DENIED_BEFORE = re.compile(
    r"(?<!\w)(?i:(?:not|never|isn['’]t|wasn['’]t|aren['’]t|can['’]t|cannot|won['’]t)"
    r"(?: (?:be|equal|equal to|the answer|the right answer|the final answer|necessarily|exactly))?"
    rf"|rather than|instead of|other than|except|but|far from|(?:reject|rules?|ruled)(?: out)?)"
    rf"{_UP_TO_HERE}"
    r"|(?<!\w)(?i:doubt|(?:do not|don['’]t|did not|didn['’]t) (?:think|believe)"
    r"|(?:not|isn['’]t|is not) (?:true|sure|certain|clear|convinced|the case)|"
    r"unlikely|unsure|it is (?:wrong|false)|"
    r"(?:wrong|incorrect|false|mistaken) "
    r"(?:answer|result|solution|value|conclusion|to (?:say|claim|think)|that))(?!\w)"
    rf"|(?:不是|并非|绝非|不等于|不会是|不可能是|不应是|不为|未必是|排除){_UP_TO_HERE}"
    r"|怀疑|不认为|不相信|不确定|错误的?(?:答案|结果|结论|解)"
)
_HEDGED_BEFORE = re.compile(
    rf"(?<!\w)(?i:(?:might|may|could)(?: also| well| possibly)? (?:be|equal)){_UP_TO_HERE}"
    r"|(?<!\w)(?i:perhaps|maybe|possibly|(?:my|a|wild|best|first) guess|"
    r"i(?:['’]m| am)? guess(?:ing)?)(?!\w)"
    rf"|(?:可能是|大概是|大约是?|之一是){_UP_TO_HERE}|也许|或许|我猜|瞎猜|随便猜"
)
_ASKED_BEFORE = re.compile(
    r"\A\W*(?i:(?:and |but |or |now |then )?(?:if|unless|suppose|supposing|assume|assuming|imagine|"
    r"pretend|let['’]s say|what if|is (?:it|this|that|the)|was it|would it|should it|could it))"
    r"(?!\w)|(?<!\w)(?i:whether|(?:wonder|wondering|ask|know|see|sure|tell|clear) if)(?!\w)"
    r"|(?<!\w)(?<!i )(?<!we )(?<!I )(?<!We )"
    r"(?i:says?|said|claims?|claimed|told|asks?|asked|wants?|wanted|thinks?|wrote|writes|"
    r"supposed|expects?)(?: (?i:that|to|us|me|you|the|final|correct|answer|is|was|write|put|output|"
    rf"box|it|in|as|use|print|say|for))*{_UP_TO_HERE}"
    r"|(?<!\w)(?i:for example|for instance|e\.g\.|such as|(?:an?|the) example|format|formatted|"
    r"template|placeholder|instructions?|prompt|answer key|ground truth|solution manual|grader|"
    r"few-shot|(?:reference|expected|official|given|gold) (?:answer|solution))(?!\w)"
    r"|\A\W*(?:如果|假如|假设|若|难道|要是)|是否|是不是|例如|比如|格式|模板|示例|参考答案|标准答案|"
    r"(?:题目|题干|有人|老师|同学|书上|提示|提示词)(?:说|写|要求|给)|据说|要求(?:写|输出|填)"
)
# Most clauses hold none of these words and no Chinese, and need no look at the patterns.
_TRIGGER_WORDS = """
    not never isn wasn aren can cannot won t don didn than of except but from reject rule
    rules ruled out doubt unlikely unsure wrong incorrect false mistaken be equal perhaps
    maybe possibly guess guessing if unless suppose supposing assume assuming imagine
    pretend say what is was would should could whether says said claim claims claimed told
    ask asks asked want wants wanted think thinks wrote writes supposed expect expects
    example instance e such format formatted template placeholder instruction instructions
    prompt key truth manual grader few reference expected official given gold
"""
_TRIGGERS = frozenset(_TRIGGER_WORDS.split())
_WORD = re.compile(r"[a-z]+")
# A clause that ends in one of these no longer governs what follows.
_CLAUSE_END = re.compile(
    r"[,;:，；：、（(—]|(?<!\w)(?i:so|thus|hence|therefore|but|then|gives?|yields?|get|have)(?!\w)"
    r"|所以|因此|故|则|得|而是"
)
_AFTER = r"[\s$*_)}\]”\"'.,，。、\\]*+"
_DENIED_AFTER = re.compile(
    _AFTER + r"(?:(?i:(?:is|was|are|seems|looks|would be|cannot be|can't be|must be) (?:\w+ )?"
    r"(?:not|wrong|incorrect|false|mistaken|impossible|a guess|out|unlikely)|isn['’]t|can't|cannot|"
    r"does not|doesn't)(?!\w)|不对|是错|错|不成立|不是|不可能)"
)
# "or 5" behind a statement. Another mark ("or \boxed{5}") is a statement of its own.
_HEDGED_AFTER = re.compile(
    _AFTER + r"(?:(?i:or|and/or|versus|vs\.?)\s+(?i:maybe |perhaps |possibly |even |else )?"
    r"[$({*\"“]{0,4}(?:[-+]?[0-9]|\\(?:d?frac|sqrt)|[A-D](?!\w))|或[者是]?\s?[$\\0-9]|也可能|也许)"
)
# The formula or number that ends a sentence without a mark may be the last of a list.
_LISTED_BEFORE = re.compile(r"(?:[0-9$)*}][,、，]|(?<!\w)(?i:or|either|and)|或者?|[、和])\s*\Z")
# What is said of a value without a mark, and is not that the answer is this value.
_COMPARED_BEFORE = re.compile(
    r"(?<!\w)(?i:(?:less|more|fewer|greater|smaller|larger|other) than|at (?:least|most)|"
    r"different from|let|try|consider|reject|take)\s*[$*({]*(?:[A-Za-z]\s*=)?\s*\Z"
    r"|(?:至少|至多|小于|大于|设|取)\s*\Z"
)
# "Twice the answer is 42": it is another one's value.
_ANOTHER_BEFORE = re.compile(
    r"(?<!\w)(?i:twice|half(?: of)?|double|triple|(?:opposite|negative|inverse|reciprocal|square)"
    r" of|wrong|incorrect|false|\w+['’]s)\s+(?i:the |my |our |final )*\Z|(?:错误|错)的?\Z"
)
_UNMARKED = ("display", "bold", "equals", "formula", "number")

# Words that replace an earlier statement by a later one ...
_CORRECTION = re.compile(
    r"(?<!\w)(?i:wait|hold on|no[,:.]|actually|correction|corrected|scratch that|my mistake|oops|"
    r"sorry|on second thought|"
    r"let me (?:correct|fix|redo|try again|recheck|re-check|recalculate|try)|"
    r"i made an? (?:\w+ )?(?:mistake|error|slip)|i (?:take|took) (?:it|that) back|"
    r"(?:that|this|it|which)(?:['’]s| is| was| can't be| cannot be) "
    r"(?:wrong|incorrect|false|mistaken|not right|not correct|a mistake|an error|not quite right))"
    r"|不对|错了|有误|更正|改正|等等|等一下|等下|重新|我算错|抱歉|说错|看错|漏"
)
# ... and those that leave nothing if no other statement follows.
_RETRACTION = re.compile(
    r"(?<!\w)(?i:scratch that|ignore (?:that|this|the above)|disregard|"
    r"i (?:take|took) (?:it|that) back|(?:that|this|it|the (?:answer|above|result))"
    r"(?:['’]s| is| was| can't be| cannot be| seems| looks| must be) (?:(?!not )\w+ )?"
    r"(?:wrong|incorrect|false|mistaken|not right|not correct|not the answer|a mistake|an error|"
    r"a guess|just a guess|only a guess|impossible|unlikely)|i made an? (?:\w+ )?(?:mistake|error)|"
    r"i (?:am|['’]m) (?:not sure|unsure|guessing)|i['’]m not sure|"
    r"i (?:do not|don['’]t) (?:know|think so|believe)|"
    r"(?:or|could be|might be|maybe|perhaps) (?:it is |it['’]s |also )?"
    r"(?:something else|another|not)|no,? (?:that|it|this)|not really|just kidding|"
    r"i have no idea|(?:could|might|may) also be\s*[$*({]*-?[0-9\\])"
    r"|不对|错了|(?<!没有)错误|有误|忽略|作废|不是这个|不确定|不知道|瞎猜|我猜|撤回|收回|也可能|也许是"
    r"|或者是|不算|开玩笑"
)
# A correction that names another value without a mark: "Wait, I miscounted. It's 41."
_RESTATED = re.compile(
    r"(?<!\w)(?i:wait|oops|sorry|correction|however|hold on|my mistake|actually|or maybe|"
    r"on second thought|i (?:mis\w+|made an? \w+))(?!\w)[^\n]{0,80}?"
    r"(?i:it['’]s|it is|should be|must be|i meant|make that|should have been)"
    r"\s*(?:actually |really )?[$*({]*-?(?:[0-9]|\\(?:d?frac|sqrt))"
)
RETRACTION_CHARACTERS = 200

_INCHES = re.compile(r'(?<=[0-9])"')
_QUOTE = re.compile(r"[\"`“「『《]")
_FENCE = re.compile(r"^[ \t]{0,3}(?:```|~~~)", re.MULTILINE)


def standing(text: str, statement: Statement, prompt: str = "") -> Standing:
    """Return how a completion holds to a statement.

    Args:
        text: The completion without its reasoning.
        statement: A statement in it.
        prompt: The prompt, as text.

    Returns:
        Whether it is stated, or how it is not.

    Example:
        >>> from reference_impl.rules.math.statements import marked_statements
        >>> text = r"It is not \\boxed{42}, it is \\boxed{41}."
        >>> [standing(text, found).name for found in marked_statements(text)]
        ['DENIED', 'STATED']

    Explained in :ref:`math-final-answer`.
    """
    start, end = statement.start, statement.end
    if _is_quoted(text, start, end, prompt):
        return Standing.QUOTED
    before, after = sentence_around(text, start, end)
    # A phrase's own sentence is its text.
    asked = (statement.text if "phrase" in statement.form else after).rstrip("*_ $")
    clause = before
    for clause_end in _CLAUSE_END.finditer(before):
        at_the_end = clause_end.end() >= len(before.rstrip())
        if not (at_the_end and clause_end.group() in ":：(（—"):  # "not: 4" is one clause
            clause = before[clause_end.end() :]
    governed = not clause.isascii() or not _TRIGGERS.isdisjoint(_WORD.findall(clause.lower()))
    if asked.endswith(("?", "？", "吗", "吗。")) or (governed and _ASKED_BEFORE.search(clause)):
        return Standing.ASKED
    if (governed and _DENIED_BEFORE.search(clause)) or _DENIED_AFTER.match(after):
        return Standing.DENIED
    if (governed and _HEDGED_BEFORE.search(clause)) or _HEDGED_AFTER.match(after):
        return Standing.HEDGED
    if statement.form in _UNMARKED:
        if _LISTED_BEFORE.search(before):
            return Standing.HEDGED
        if _COMPARED_BEFORE.search(before):
            return Standing.DENIED
    elif "phrase" in statement.form and _ANOTHER_BEFORE.search(before):
        return Standing.DENIED
    return Standing.STATED


def corrections(text: str, statements: list[Statement]) -> list[int]:
    """Return which statements follow a correction of the one before them, as indices."""
    return [
        index
        for index in range(1, len(statements))
        if _CORRECTION.search(text, statements[index - 1].end, statements[index].start)
    ]


def is_taken_back(text: str, end: int) -> bool:
    """Tell whether what follows the last statement, 200 characters of it, takes it back."""
    rest = text[end : end + RETRACTION_CHARACTERS].strip(" .。*$\n")
    return bool(rest) and bool(_RETRACTION.search(rest) or _RESTATED.search(rest))


def _is_quoted(text: str, start: int, end: int, prompt: str) -> bool:
    line_start = text.rfind("\n", 0, start) + 1
    if text.startswith(">", line_start):
        return True
    if "<!--" in text and text.rfind("<!--", 0, start) > text.rfind("-->", 0, start):
        return True
    if ("```" in text or "~~~" in text) and len(_FENCE.findall(text, 0, start)) % 2:
        return True
    if prompt and end - line_start >= 25 and text[line_start:end].strip() in prompt:
        return True
    before = _INCHES.sub("", text[max(line_start, start - 300) : start])
    if not _QUOTE.search(before):
        return False
    after = text[end : end + 300].partition("\n")[0]
    if (before.count('"') % 2 and '"' in after) or (before.count("`") % 2 and "`" in after):
        return True
    return any(
        before.rfind(opening) > before.rfind(closing) and closing in after
        for opening, closing in ("“”", "「」", "『』", "《》")
    )
