r"""Read an answer as a structure: one value, several, a tuple, a set, an equation, an inequality.

The structure is found here, token by token; what stands inside it is one expression each.
"""

import re
from dataclasses import dataclass

import sympy
from latex2sympy2_extended import latex2sympy
from sympy import Expr, MatrixBase, Set, Symbol
from sympy.core.function import AppliedUndef

from reference_impl.rules.math.expression import (
    TRIGONOMETRIC,
    key,
    read_expression,
    split,
    split_with_keys,
)
from reference_impl.rules.math.scalar import Scalar, scalars_equal, values_equal
from reference_impl.rules.math.tokens import FUNCTIONS, GREEK, Token, UnreadableError, tokenize
from reference_impl.rules.number import parse_number


@dataclass(frozen=True)
class Text:
    """An answer in words, in lower case: "monday".

    Explained in :ref:`math-symbolic`.
    """

    words: str


@dataclass(frozen=True)
class Numeral:
    """A number in another base: 1011_2.

    Explained in :ref:`math-symbolic`.
    """

    digits: str
    base: int


@dataclass(frozen=True)
class Row:
    """Values in brackets, in order: a tuple, an interval, a matrix with its shape as bracket.

    Explained in :ref:`math-symbolic`.
    """

    left: str
    right: str
    items: tuple["Parsed", ...]


@dataclass(frozen=True)
class Several:
    r"""Values in no order: a list without brackets, or a set in braces.

    Attributes:
        items: The values.
        joined: How they are joined: "or", "and", "," (also for several ways), "{" for a set, "pm"
            for the two values of a plus-minus.

    Explained in :ref:`math-symbolic`.
    """

    items: tuple["Parsed", ...]
    joined: str


@dataclass(frozen=True)
class Region:
    """A set of numbers: a union, the reals, the empty set.

    Explained in :ref:`math-symbolic`.
    """

    numbers: Set


@dataclass(frozen=True)
class Equation:
    """An equation.

    Attributes:
        name: What it gives the value of ("x = 3" names x), or None.
        value: That value; the right side of an equation that names nothing.
        zero: What must be zero, or None where that is no expression.

    Explained in :ref:`math-symbolic`.
    """

    name: str | None
    value: "Parsed"
    zero: Expr | MatrixBase | None


@dataclass(frozen=True)
class Inequality:
    """A chain of relations, such as 2 < x <= 5.

    Explained in :ref:`math-symbolic`.
    """

    values: tuple[Scalar, ...]
    relations: tuple[str, ...]


Parsed = Scalar | Text | Numeral | Row | Several | Region | Equation | Inequality

_WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))
_GROUPED_DIGITS = re.compile(r"(?<=[0-9])(?:\{,\}|\\[,!])(?=[0-9]{3}(?![0-9]))")

_SEPARATORS = (",", ";", "or", "and")
_RELATIONS = ("=", "<", ">", "le", "ge", "ne", "approx", "in")
_SET_OPERATIONS = ("cup", "cap", "setminus", "\\\\")
_ROWS = {"(": ")", "[": "]", "langle": "rangle"}
_INTERVALS = frozenset(("(]", "[)", "[]", "()"))
_NUMBER_SETS = {
    "mathbb R": sympy.S.Reals,
    "mathbb Z": sympy.S.Integers,
    "mathbb N": sympy.S.Naturals,
    "mathbb Q": sympy.S.Rationals,
    "mathbb C": sympy.S.Complexes,
}
_CURRENCIES = frozenset("$€£¥")
_TEMPERATURES = {"c": "celsius", "f": "fahrenheit"}
# sympy's parser of LaTeX reads these, from tokens that were checked here.
_CALCULUS = frozenset(("int", "sum", "prod", "lim"))

_BASED = re.compile(r"(?P<digits>[0-9][0-9a-f]*+)_(?:\{(?P<braced>[0-9]{1,2})\}|(?P<base>[0-9]))")
_LABEL = re.compile(r"[A-Za-z][A-Za-z ]*+:?")
_DENIALS = re.compile(r"\b(?:not|never|no|false|wrong|incorrect|except|unlike|isn)\b", re.I)
_IN_NAME = frozenset(("(", ")", ",", "_", "{", "}", "|", "'", "+", "-", "*", "/", "^"))
_NAME_COMMANDS = frozenset(("frac", "angle", "cdot", "times")) | GREEK | FUNCTIONS
# How far a rounded value may be from what it is said to approximate.
_APPROXIMATION = sympy.Rational(1, 100)


def read_answer(text: str) -> Parsed:
    r"""Read the bare text of an answer, whole.

    Args:
        text: The answer, without words around it, such as ``x = \frac{1}{2}``.

    Returns:
        The structure that it is.

    Raises:
        UnreadableError: If the text as a whole is not mathematics or a short answer in words, or
            if it contradicts itself.

    Example:
        >>> read_answer("(1, 2)").left
        '('

    Explained in :ref:`math-symbolic`.
    """
    text = text.strip()
    for left, right in _WRAPPERS:
        if text.startswith(left) and text.endswith(right) and len(text) > len(left + right):
            text = text[len(left) : -len(right)].strip()
    if text.endswith("."):
        text = text[:-1]
    tokens = tokenize(_GROUPED_DIGITS.sub("", text))
    if len(tokens) == 1 and tokens[0].kind == "text" and not tokens[0].text.isalpha():
        return _read_text(tokens[0].text)
    return _read_items(_join_thousands(_one_case(tokens)))


def _read_text(content: str) -> Parsed:
    r"""Read what \text{...} holds when it is the whole answer: "(B)", "1, 2" or words."""
    try:
        return _read_items(_join_thousands(_one_case(tokenize(content))))
    except UnreadableError:
        return Text(" ".join(content.casefold().split()))


def _one_case(tokens: list[Token]) -> list[Token]:
    """Let letters lose their case, unless the answer tells R from r by it."""
    letters = {token.text for token in tokens if token.kind == "letter"}
    if any(letter.swapcase() in letters for letter in letters):
        return tokens
    return [
        # E and I would turn into constants.
        Token(token.kind, token.text.lower(), token.spaced)
        if token.kind == "letter" and token.text not in "EI"
        else token
        for token in tokens
    ]


def _join_thousands(tokens: list[Token]) -> list[Token]:
    """Join 1,234 to one number, outside of brackets: (1,234) is a pair."""
    joined: list[Token] = []
    depth = 0
    grouped = False  # the last token is a number that may be continued
    at = 0
    while at < len(tokens):
        token = tokens[at]
        depth += (token.text in "([{" and token.kind != "number") - (token.text in ")]}")
        follows = tokens[at + 1 : at + 3]
        if (
            grouped
            and not depth
            and token.text == ","
            and not token.spaced
            and [after.kind for after in follows[:1]] == ["number"]
            and not follows[0].spaced
            and re.fullmatch(r"[0-9]{3}(?:\.[0-9]*+)?", follows[0].text)
        ):
            joined[-1] = Token("number", joined[-1].text + follows[0].text, joined[-1].spaced)
            grouped = "." not in follows[0].text
            at += 2
            continue
        joined.append(token)
        grouped = token.kind == "number" and bool(re.fullmatch("[1-9][0-9]{0,2}", token.text))
        at += 1
    return joined


def _read_items(tokens: list[Token]) -> Parsed:
    parts, separators = split_with_keys(tokens, _SEPARATORS)
    if len(parts) == 1:
        return _read_item(tokens)
    joints = set(separators)
    if len(joints) > 1:  # "1, 2, or 3" and "1, 2 or 3"
        parts = [part for part in parts if part]
    items = [item for part in parts for item in _alternatives(_read_item(part))]
    joined = joints.pop() if joints in ({"or"}, {"and"}) else ","
    return _named(items, joined)


def _alternatives(item: Parsed) -> tuple[Parsed, ...]:
    """The two values of a plus-minus are items of the list that it stands in."""
    return item.items if isinstance(item, Several) and item.joined == "pm" else (item,)


def _named(items: list[Parsed], joined: str) -> Parsed:
    """Read "x = 1 or x = 2" and "x = 1, 2" as x and its values."""
    first = items[0]
    if not isinstance(first, Equation) or first.name is None:
        return Several(tuple(items), joined)
    values = []
    for item in items:
        if isinstance(item, Equation):
            if item.name != first.name:
                return Several(tuple(items), joined)
            item = item.value
        elif not isinstance(item, Scalar | Row):
            return Several(tuple(items), joined)
        values += _alternatives(item)
    return Equation(first.name, Several(tuple(values), joined), None)


def _read_item(tokens: list[Token]) -> Parsed:
    signs = [token.text for token in tokens if key(token) in ("pm", "mp")]
    if not signs:
        return _read_chain(tokens)
    if signs.count("pm") != 1 or len(signs) > 2:
        raise UnreadableError("which signs belong together is not said")
    both = [_read_chain(_with_sign(tokens, *signs_of)) for signs_of in ("+-", "-+")]
    if all(isinstance(one, Equation) and one.name for one in both):
        return Equation(both[0].name, Several((both[0].value, both[1].value), "pm"), None)
    return Several(tuple(both), "pm")


def _with_sign(tokens: list[Token], plus_minus: str, minus_plus: str) -> list[Token]:
    signs = {"pm": plus_minus, "mp": minus_plus}
    return [
        Token("mark", signs[key(token)], token.spaced) if key(token) in signs else token
        for token in tokens
    ]


def _read_chain(tokens: list[Token]) -> Parsed:
    sides, relations = split_with_keys(tokens, _RELATIONS)
    if not all(sides):
        raise UnreadableError("a side of a relation is missing")
    if len(sides) == 1:
        return _read_side(tokens)
    if relations[-1] == "approx":
        return _read_approximation(sides, relations)
    if relations == ["in"]:
        name = _name(sides[0])
        if name is None:
            raise UnreadableError("only a variable is an element of a set")
        return Equation(name, _read_side(sides[1]), None)
    if set(relations) == {"="}:
        return _read_equation(sides)
    if set(relations) & {"in", "approx"}:
        raise UnreadableError("relations of several kinds")
    values = tuple(_scalar(side) for side in sides)
    return Inequality(values, tuple(relations))


def _read_approximation(sides: list[list[Token]], relations: list[str]) -> Parsed:
    r"""Read "x \approx 3.14" as x = 3.14, and "\pi \approx 3.14" as pi."""
    if relations.count("approx") > 1 or set(relations) - {"=", "approx"}:
        raise UnreadableError("relations of several kinds")
    if len(sides) == 2 and _name(sides[0]) is not None and not _is_constant(sides[0]):
        return _read_equation(sides)
    exact = _read_equation(sides[:-1]) if len(sides) > 2 else _scalar(sides[0])
    value = exact.value if isinstance(exact, Equation) else exact
    near = _scalar(sides[-1]).value
    if not isinstance(value, Scalar) or value.value.free_symbols or near.free_symbols:
        raise UnreadableError("only numbers are approximated")
    if not abs((value.value - near).evalf()) <= _APPROXIMATION * abs(near.evalf()):
        raise UnreadableError("not near what it is said to approximate")
    return exact


def _is_constant(tokens: list[Token]) -> bool:
    value = _expression_or_none(tokens)
    return value is not None and not _says_anything(value)


def _says_anything(value: Expr | MatrixBase) -> bool:
    """Whether there is a variable or an unknown function in it, such as f(2)."""
    return bool(value.free_symbols) or value.has(AppliedUndef)


def _read_equation(sides: list[list[Token]]) -> Parsed:
    name, rest = _name(sides[0]), sides[1:]
    if name is not None and _is_constant(sides[0]):
        name = None
    if name is None:
        name, rest = _name(sides[-1]), sides[:-1]
        if name is None or _is_constant(sides[-1]):
            name, rest = None, sides
    values = [_read_side(side) for side in rest]
    _check_consistent(values)
    if name is None:
        return _unnamed(values)
    value = values[-1]
    zero = None
    named = _expression_or_none(sides[0] if rest[0] is sides[1] else sides[-1])
    if isinstance(value, Scalar) and named is not None:
        zero = named - value.value
        if isinstance(named, Symbol) and named in value.value.free_symbols:
            name = None  # y = x + y^2 gives no value of y
        if not _says_anything(zero):
            raise UnreadableError("an equation without a variable in it")
    return Equation(name, value, zero)


def _unnamed(values: list[Parsed]) -> Parsed:
    if not all(isinstance(value, Scalar) for value in values):
        raise UnreadableError("an equation of things that are not values")
    first, last = values[0], values[-1]
    if all(scalars_equal(first, value) for value in values[1:]):
        return last
    if len(values) > 2:
        raise UnreadableError("a chain whose sides differ")
    return Equation(None, last, first.value - last.value)


def _check_consistent(values: list[Parsed]) -> None:
    """Sides that should be the same value are: "x = 4 = 5" says nothing."""
    scalars = [value for value in values if isinstance(value, Scalar)]
    for i, first in enumerate(scalars):
        for second in scalars[i + 1 :]:
            same_names = first.value.free_symbols == second.value.free_symbols
            constant = not first.value.free_symbols
            if same_names and (constant or len(values) > 2) and not scalars_equal(first, second):
                raise UnreadableError("an equation that contradicts itself")


def _expression_or_none(tokens: list[Token]) -> Expr | MatrixBase | None:
    try:
        return read_expression(tokens)
    except UnreadableError:
        return None


_INVERSE = ["^", "{", "-", "1", "}"]


def _name(tokens: list[Token]) -> str | None:
    r"""What an equation can be the value of: x, f(2), a + b, (x, y), \text{Area}."""
    if len(tokens) == 1 and tokens[0].kind == "text":
        label = tokens[0].text
        denied = _DENIALS.search(label) or not _LABEL.fullmatch(label)
        return None if denied else label.casefold()
    if key(tokens[0]) in ("-", "+"):
        return None  # -x = 5 is no 5
    inverse = [key(token) or token.text for token in tokens[1:6]] == _INVERSE
    if inverse and tokens[0].kind == "letter":
        tokens = [tokens[0], Token("letter", "^-1", False), *tokens[6:]]
    applied = (
        len(tokens) > 3
        and tokens[0].kind == "letter"
        and key(tokens[1 + inverse]) == "("
        and key(tokens[-1]) == ")"
    )
    subscript = False
    for token in tokens:
        number = token.kind == "number" and not (applied or subscript)
        command = token.kind == "command" and key(token) not in _NAME_COMMANDS
        mark = token.kind == "mark" and token.text not in _IN_NAME
        word = token.kind == "text" and len(token.text) > 1 and not subscript
        if number or command or mark or word or token.kind in ("begin", "end"):
            return None
        subscript = key(token) == "_" or (subscript and key(token) == "{")
    return "".join(token.text for token in tokens).casefold()


def _scalar(tokens: list[Token]) -> Scalar:
    value = _read_side(tokens)
    if not isinstance(value, Scalar):
        raise UnreadableError("one value is wanted here")
    return value


def _read_side(tokens: list[Token]) -> Parsed:
    if not tokens:
        raise UnreadableError("nothing stands here")
    parts, operations = split_with_keys(tokens, _SET_OPERATIONS)
    if operations:
        return _read_set_operations(parts, operations)
    if all(token.kind == "text" for token in tokens) and (
        len(tokens) > 1 or len(tokens[0].text) > 1
    ):
        return Text(" ".join(token.text for token in tokens).casefold())
    if len(tokens) == 1:
        if key(tokens[0]) == "emptyset":
            return Region(sympy.S.EmptySet)
        if tokens[0].kind == "accent" and tokens[0].text in _NUMBER_SETS:
            return Region(_NUMBER_SETS[tokens[0].text])
    bracketed = _read_bracketed(tokens)
    if bracketed is not None:
        return bracketed
    based = _BASED.fullmatch("".join(token.text for token in tokens))
    if based and tokens[0].kind == "number":
        return _read_based(based)
    return _read_quantity(tokens)


def _read_set_operations(parts: list[list[Token]], operations: list[str]) -> Region:
    numbers = [as_set(_read_side(part)) for part in parts]
    if None in numbers:
        raise UnreadableError("only sets can be joined")
    result = numbers[0]
    for operation, operand in zip(operations, numbers[1:], strict=True):
        if operation == "cup":
            result = sympy.Union(result, operand)
        elif operation == "cap":
            result = sympy.Intersection(result, operand)
        else:
            result = sympy.Complement(result, operand)
    return Region(result)


def _read_bracketed(tokens: list[Token]) -> Parsed | None:
    """Read a tuple, an interval, a set or a matrix that is the whole of these tokens."""
    left, right = key(tokens[0]), key(tokens[-1])
    if left == "begin" and right == "end":
        return _read_matrix(tokens)
    inside = tokens[1:-1]
    if left == "\\{" and right == "\\}":
        return _read_set(inside)
    if left not in _ROWS or right not in _ROWS.values() or len(tokens) < 4:
        return None
    try:
        parts = split(inside, (",", ";"))
    except UnreadableError:
        return None  # (1,2)+(3,4): the first bracket does not close at the end
    if len(parts) == 1:
        return None
    signed = [token for token in inside if key(token) in ("pm", "mp")]
    if signed:
        raise UnreadableError("a sign that is open")
    return Row(left, right, tuple(_read_side(part) for part in parts))


def _read_matrix(tokens: list[Token]) -> Parsed | None:
    value = read_expression(tokens)
    if not isinstance(value, MatrixBase):
        return Scalar(value)
    rows = [split(row, ("&",)) for row in split(tokens[1:-1], ("\\\\",)) if row]
    return _matrix_row([_scalar(cell) for row in rows for cell in row], value.shape)


def _matrix_row(cells: list[Scalar], shape: tuple[int, int]) -> Row:
    name = f"{shape[0]}x{shape[1]}"
    return Row(name, name, tuple(cells))


def _read_set(inside: list[Token]) -> Parsed:
    if not inside:
        return Region(sympy.S.EmptySet)
    for bar in ("|", ":"):
        parts = split(inside, (bar,))
        if len(parts) == 2 and _name(parts[0]) is not None:
            condition = _read_items(parts[1])
            if isinstance(condition, Inequality | Several):
                return condition
            raise UnreadableError("the condition of a set is not read")
    items = [item for part in split(inside, (",", ";")) for item in _alternatives(_read_item(part))]
    return Several(tuple(items), "{")


def _read_based(match: re.Match[str]) -> Numeral:
    base = int(match["braced"] or match["base"])
    if base < 2 or any(int(digit, 36) >= base for digit in match["digits"]):
        raise UnreadableError("not a number in this base")
    return Numeral(match["digits"].lstrip("0") or "0", base)


def _read_quantity(tokens: list[Token]) -> Scalar | Row:
    unit, tokens = _split_unit(tokens)
    sign_first = key(tokens[0]) in ("-", "+")
    digits = tokens[1:] if sign_first else tokens
    percent = len(digits) > 1 and key(digits[-1]) == "%" and len(split(digits, ("+", "-"))) == 1
    value = _evaluate(tokens[:-1] if percent else tokens)
    number = digits[:-1] if percent else digits
    decimal = len(number) == 1 and number[0].kind == "number" and "." in number[0].text
    if isinstance(value, MatrixBase):
        return _matrix_row([Scalar(cell) for cell in value.flat()], value.shape)
    return Scalar(value / 100 if percent else value, decimal, percent, unit)


def _evaluate(tokens: list[Token]) -> Expr | MatrixBase:
    if not any(key(token) in _CALCULUS for token in tokens):
        return read_expression(tokens)
    if any(token.kind not in ("number", "letter", "command", "mark") for token in tokens):
        raise UnreadableError("words in a sum or an integral")
    latex = " ".join(
        f"\\{token.text}" if token.kind == "command" else token.text for token in tokens
    )
    value = latex2sympy(latex, is_real=True, normalization_config=None)
    value = value.doit() if isinstance(value, Expr) else None
    if value is None or value.has(sympy.Integral, sympy.Sum, sympy.Product, sympy.Limit):
        raise UnreadableError("a sum or an integral without a value")
    return value


def _split_unit(tokens: list[Token]) -> tuple[str, list[Token]]:
    """Take a currency, a unit or a degree sign off."""
    currency = ""
    sign = tokens[:1] if key(tokens[0]) in ("-", "+") else []
    if tokens[len(sign) :][:1] and key(tokens[len(sign)]) in _CURRENCIES:
        currency = _unit_name(tokens[len(sign)].text)
        tokens = sign + tokens[len(sign) + 1 :]
    tokens, unit = _split_trailing_unit(tokens)
    if not tokens:
        raise UnreadableError("a unit without a value")
    if currency and unit not in ("", currency):
        unit = f"{currency} {unit}"
    return unit or currency, tokens


def _split_trailing_unit(tokens: list[Token]) -> tuple[list[Token], str]:
    end = len(tokens)
    power = ""
    names = [key(token) for token in tokens[-4:]]
    if names[-2:-1] == ["^"] and tokens[-1].text in ("2", "3"):
        power, end = tokens[-1].text, end - 2
    elif names[:2] == ["^", "{"] and names[3:] == ["}"] and tokens[-2].text in ("2", "3"):
        power, end = tokens[-2].text, end - 4
    start = end
    while start > 1 and tokens[start - 1].kind == "text":
        start -= 1
    if start < end:
        words = " ".join(token.text for token in tokens[start:end])
        return _split_degree(tokens[:start], words, power)
    return _split_degree(tokens, "", "")


def _split_degree(tokens: list[Token], words: str, power: str) -> tuple[list[Token], str]:
    names = [key(token) for token in tokens]
    size = 0
    if not TRIGONOMETRIC.intersection(names):
        for written in (["^", "{", "circ", "}"], ["^", "circ"], ["circ"]):
            if names[-len(written) :] == written and not size:
                size = len(written)
    if not words:
        # 90 degrees, also in a sum of them: each sign goes, the unit stays.
        return (tokens[:-size], "degree") if size else (tokens, "")
    if size:
        if words.casefold() not in _TEMPERATURES:
            raise UnreadableError("a degree sign before another unit")
        return tokens[:-size], _TEMPERATURES[words.casefold()]
    return tokens, _unit_name(f"{words}^{power}" if power else words)


def _unit_name(words: str) -> str:
    quantity = parse_number(words + "1") if words in _CURRENCIES else parse_number(f"1 {words}")
    if quantity is not None:
        return quantity.unit
    parts = words.replace(".", "").split()
    known = [parse_number(f"1 {part}") for part in parts if part not in ("per", "of", "the", "and")]
    if not 0 < len(known) <= 4 or None in known or any(known_.value != 1 for known_ in known):
        raise UnreadableError(f"{words!r} is not a unit")
    return " ".join(quantity.unit for quantity in known if quantity.unit)


def as_set(item: Parsed) -> Set | None:
    r"""Return the set of numbers that a structure describes, or None if it describes none.

    Args:
        item: A structure, such as an interval, an inequality in one variable, a set in braces.

    Returns:
        A sympy set, or None.

    Example:
        >>> as_set(read_answer("2 < x")) == as_set(read_answer(r"(2, \infty)"))
        True

    Explained in :ref:`math-symbolic`.
    """
    if isinstance(item, Region):
        return item.numbers
    if isinstance(item, Row):
        return _interval(item)
    if isinstance(item, Inequality):
        return _solutions(item)
    if isinstance(item, Equation) and item.name is not None and isinstance(item.value, Region):
        return item.value.numbers
    if isinstance(item, Several):
        return _union(item)
    return None


def _interval(row: Row) -> Set | None:
    if len(row.items) != 2 or row.left + row.right not in _INTERVALS:
        return None
    low, high = row.items
    if not (isinstance(low, Scalar) and isinstance(high, Scalar)):
        return None
    start, end = low.value, high.value
    if not (start.is_extended_real and end.is_extended_real) or (start < end) != sympy.true:
        return None
    return sympy.Interval(start, end, row.left == "(", row.right == ")")


def _union(items: Several) -> Set | None:
    if items.joined == "{":
        if not all(isinstance(item, Scalar) for item in items.items):
            return None
        return sympy.FiniteSet(*(item.value for item in items.items))
    sets = [as_set(item) for item in items.items]
    if None in sets or items.joined not in ("or", "and"):
        return None
    if len({variable(item) for item in items.items} - {None}) > 1:
        return None
    return (sympy.Union if items.joined == "or" else sympy.Intersection)(*sets)


def variable(item: Parsed) -> str | None:
    """Return the name of the variable that a structure restricts, if it names one.

    Args:
        item: A structure.

    Returns:
        The name, or None.

    Example:
        >>> variable(read_answer("2 < x"))
        'x'

    Explained in :ref:`math-symbolic`.
    """
    if isinstance(item, Equation):
        return item.name
    if isinstance(item, Inequality):
        symbols = set().union(*(value.value.free_symbols for value in item.values))
        return symbols.pop().name.casefold() if len(symbols) == 1 else None
    if isinstance(item, Several):
        names = {variable(one) for one in item.items}
        return names.pop() if len(names) == 1 else None
    return None


def _solutions(chain: Inequality) -> Set | None:
    symbols = set().union(*(value.value.free_symbols for value in chain.values))
    if len(symbols) != 1:
        return None
    (symbol,) = symbols
    result: Set = sympy.S.Reals
    pairs = zip(chain.values, chain.values[1:], strict=False)
    for (left, right), relation in zip(pairs, chain.relations, strict=True):
        half = _half_line(left.value, right.value, relation, symbol)
        if half is None:
            return None
        result = sympy.Intersection(result, half)
    return result


def _half_line(left: Expr, right: Expr, relation: str, symbol: Symbol) -> Set | None:
    if relation in (">", "ge"):
        left, right, relation = right, left, {">": "<", "ge": "le"}[relation]
    if symbol in (left, right) and sympy.oo in (abs(left), abs(right)):
        return sympy.S.Reals  # x < oo
    difference = sympy.expand(left - right)
    slope, rest = difference.coeff(symbol, 1), difference.coeff(symbol, 0)
    if not values_equal(slope * symbol + rest, difference) or not slope.is_nonzero:
        return None
    bound = -rest / slope
    if relation == "ne":
        return sympy.Complement(sympy.S.Reals, sympy.FiniteSet(bound))
    if relation not in ("<", "le") or not bound.is_real:
        return None
    if slope.is_positive:
        return sympy.Interval(-sympy.oo, bound, True, relation == "<")
    return sympy.Interval(bound, sympy.oo, relation == "<", True)
