r"""Read one mathematical expression into sympy, in LaTeX or in plain notation.

A recursive descent over tokens builds the expression from sympy's classes, one operator at a time.
No part of the text is ever handed to an evaluator of Python (`sympify`, `parse_expr`), and a token
that has no place makes the whole text unreadable: nothing is skipped.

What can be read two ways is not read: ``2 3``, ``x^2^3``, ``5\frac{3}{2}``.
"""

import sympy
from sympy import Expr, Integer, MatrixBase, Rational, Symbol

from reference_impl.rules.math.tokens import FUNCTIONS, GREEK, Token, UnreadableError

OPENING = frozenset(("(", "[", "{", "\\{", "langle", "lfloor", "lceil", "begin"))
CLOSING = frozenset((")", "]", "}", "\\}", "rangle", "rfloor", "rceil", "end"))

_CLOSED_BY = {"(": ")", "[": "]", "{": "}", "lfloor": "rfloor", "lceil": "rceil", "|": "|"}
_TIMES = frozenset(("*", "times", "cdot"))
_DIVIDED_BY = frozenset(("/", "div", ":"))
_RADICAND_MARK = frozenset(("overline", "bar", "dot"))
_DETERMINANT = "vmatrix"
_MATRICES = frozenset(("matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", _DETERMINANT))

_SIMPLE_FUNCTIONS = {
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "cot": sympy.cot,
    "sec": sympy.sec,
    "csc": sympy.csc,
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
    "arccot": sympy.acot,
    "arcsec": sympy.asec,
    "arccsc": sympy.acsc,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "ln": sympy.log,
    "exp": sympy.exp,
}
_INVERSES = {
    name: _SIMPLE_FUNCTIONS[f"arc{name}"] for name in ("sin", "cos", "tan", "cot", "sec", "csc")
}
_OF_SEVERAL = {"gcd": sympy.gcd, "lcm": sympy.lcm, "max": sympy.Max, "min": sympy.Min}
TRIGONOMETRIC = frozenset(name for name in _SIMPLE_FUNCTIONS if name not in ("ln", "exp"))


def key(token: Token) -> str:
    r"""Name a token that is not a value: a bracket, an operator, a command.

    Args:
        token: A token.

    Returns:
        The mark or the name of the command; ``\{`` and ``\}`` with their backslash, "begin" and
        "end" for a matrix, "" for a number, a letter, an accent and a text.

    Example:
        >>> key(Token("command", "{", False)), key(Token("mark", "{", False))
        ('\\{', '{')

    Explained in :ref:`math-symbolic`.
    """
    if token.kind == "mark":
        return token.text
    if token.kind == "command":
        return f"\\{token.text}" if token.text in "{}\\" else token.text
    return token.kind if token.kind in ("begin", "end") else ""


def read_expression(tokens: list[Token]) -> Expr | MatrixBase:
    r"""Read tokens as one expression, whole.

    Args:
        tokens: The tokens of the expression.

    Returns:
        A sympy expression, or a matrix.

    Raises:
        UnreadableError: If the tokens are not one expression.

    Example:
        >>> from reference_impl.rules.math.tokens import tokenize
        >>> read_expression(tokenize(r"6t - \frac12"))
        6*t - 1/2

    Explained in :ref:`math-symbolic`.
    """
    reader = _Reader(tokens)
    value = reader.sum()
    if reader.at < len(tokens):
        raise UnreadableError(f"{tokens[reader.at].text!r} has no place here")
    if value.has(sympy.nan, sympy.zoo) or (
        value.has(sympy.oo, -sympy.oo) and value not in (sympy.oo, -sympy.oo)
    ):
        raise UnreadableError("not a definite value")
    return value


class _Reader:
    def __init__(self, tokens: list[Token]):
        self.tokens = tokens
        self.at = 0
        self.open_bars = 0

    # -- the stream

    def peek(self) -> str:
        return key(self.tokens[self.at]) if self.at < len(self.tokens) else ""

    def next(self) -> Token:
        if self.at == len(self.tokens):
            raise UnreadableError("the text ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, wanted: str) -> None:
        if key(self.next()) != wanted:
            raise UnreadableError(f"{wanted!r} is missing")

    def kind(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.tokens[at].kind if at < len(self.tokens) else ""

    # -- operators, from the loosest to the tightest

    def sum(self) -> Expr:
        value = self.product()
        while self.peek() in ("+", "-"):
            value = value + self.product() if self.next().text == "+" else value - self.product()
        return value

    def product(self) -> Expr:
        value = self.signed()
        while True:
            operator = self.peek()
            if operator in _TIMES:
                self.at += 1
                value = value * self.signed()
            elif operator in _DIVIDED_BY:
                self.at += 1
                value = value / self.signed()
            else:
                return value

    def signed(self) -> Expr:
        if self.peek() in ("+", "-"):
            return self.signed() if self.next().text == "+" else -self.signed()
        return self.juxtaposed()

    def juxtaposed(self) -> Expr:
        """Factors without a sign between them. They bind tighter than a division: 1/2x."""
        mixed = self.mixed_number()
        value = self.power() if mixed is None else mixed
        while self.starts_factor():
            value = value * self.power()
        return value

    def starts_factor(self) -> bool:
        if self.kind() == "number":
            if key(self.tokens[self.at - 1]) == "!":  # 2! 4! is a product
                return True
            raise UnreadableError("a number stands where a sign is missing")
        if self.kind() in ("letter", "accent", "begin"):
            return True
        if self.kind() == "text":
            return len(self.tokens[self.at].text) == 1
        word = self.peek()
        if word == "|":
            return not self.open_bars
        return word in _FACTORS

    def mixed_number(self) -> Rational | None:
        r"""Read 1\frac{1}{2} and "1 1/2": a whole number beside a proper fraction."""
        tokens, start = self.tokens, self.at
        if self.kind() != "number" or not tokens[start].text.isdigit():
            return None
        whole = Integer(tokens[start].text)
        if self.kind(1) == "number" and tokens[start + 1].spaced:
            written = tokens[start + 1 : start + 4]
            kinds = [token.kind for token in written]
            if kinds != ["number", "mark", "number"] or written[1].text != "/":
                return None
            self.at += 4
            if self.peek() in _DIVIDED_BY or self.starts_factor():
                raise UnreadableError("where the mixed number ends is not said")
            return whole + _proper(written[0].text, written[2].text)
        if start + 1 < len(tokens) and key(tokens[start + 1]) == "frac":
            self.at += 2
            top, bottom = self.argument(), self.argument()
            if not (top.is_Integer and bottom.is_Integer):
                return whole * top / bottom
            return whole + _proper(str(top), str(bottom))
        return None

    def power(self) -> Expr:
        value = self.postfixed()
        if self.peek() != "^":
            return value
        self.at += 1
        if self.degree():
            return value * sympy.pi / 180
        value = value ** self.script()
        if self.peek() in ("^", "!"):
            raise UnreadableError("a power of a power needs brackets")
        return value

    def degree(self) -> bool:
        for written in (["circ"], ["{", "circ", "}"]):
            if [key(token) for token in self.tokens[self.at : self.at + len(written)]] == written:
                self.at += len(written)
                return True
        return False

    def postfixed(self) -> Expr:
        value = self.primary()
        if self.peek() == "!":
            self.at += 1
            if self.peek() == "!":
                raise UnreadableError("a double factorial is not read")
            value = sympy.factorial(value)
        if self.peek() == "%":
            self.at += 1
            value = value / 100
        if self.peek() == "circ":
            self.at += 1
            value = value * sympy.pi / 180
        return value

    # -- what has no operator outside

    def primary(self) -> Expr | MatrixBase:
        token = self.next()
        if token.kind == "number":
            return self.number(token.text)
        if token.kind in ("letter", "accent"):
            return self.symbol(token)
        if token.kind == "text" and len(token.text) == 1 and token.text.isalpha():
            return self.symbol(token)
        if token.kind == "begin":
            return self.matrix(token.text)
        word = key(token)
        if word in _CLOSED_BY:
            return self.group(word)
        if word in _COMMANDS:
            return _COMMANDS[word](self)
        if word in FUNCTIONS:
            return self.function(word)
        if word in GREEK:
            return self.symbol(token)
        raise UnreadableError(f"{token.text!r} is not known here")

    def group(self, opened: str) -> Expr:
        bars, self.open_bars = self.open_bars, int(opened == "|")
        value = self.sum()
        self.expect(_CLOSED_BY[opened])
        self.open_bars = bars
        if opened == "|":
            return sympy.Abs(value)
        if opened in ("lfloor", "lceil"):
            return sympy.floor(value) if opened == "lfloor" else sympy.ceiling(value)
        return value

    def number(self, written: str) -> Rational:
        if self.peek() == "_":
            raise UnreadableError("a number in another base is read alone")
        value = Rational(written if written[-1] != "." else written[:-1])
        accent = self.tokens[self.at] if self.kind() == "accent" else None
        if accent is None or accent.spaced:
            return value
        mark, _, period = accent.text.partition(" ")
        if mark not in _RADICAND_MARK or "." not in written or not _is_digits(period):
            return value
        self.at += 1
        decimals = len(written.partition(".")[2])
        return value + Rational(int(period), (10 ** len(period) - 1) * 10**decimals)

    def symbol(self, token: Token) -> Expr:
        name = token.text
        plain = token.kind != "accent" and self.peek() not in ("_", "'")
        if plain and name == "e":
            return sympy.E
        if plain and name == "i":
            return sympy.I
        while self.peek() == "'":
            name += self.next().text
        if self.peek() == "_":
            self.at += 1
            name += f"_{self.subscript()}"
        if name[0] in "fgh" and token.kind == "letter" and self.peek() == "(":
            return sympy.Function(name)(self.argument())
        return Symbol(name, real=True)

    def subscript(self) -> str:
        token = self.next()
        if key(token) != "{":
            if token.kind in ("number", "letter") or key(token) in GREEK:
                return token.text
            raise UnreadableError("a subscript needs braces")
        name = ""
        while self.peek() != "}":
            token = self.next()
            if token.kind not in ("number", "letter", "text") and key(token) not in _IN_SUBSCRIPT:
                raise UnreadableError(f"{token.text!r} has no place in a subscript")
            name += token.text
        self.at += 1
        return name

    def script(self) -> Expr:
        """What stands after ^: a group, or one number, letter or command, with a sign."""
        if self.peek() in ("+", "-"):
            return self.script() if self.next().text == "+" else -self.script()
        return self.primary()

    def argument(self) -> Expr:
        r"""An argument of a command: a group, or one token, of which \frac12 takes one digit."""
        token = self.next()
        if key(token) in ("{", "("):
            return self.group(key(token))
        if token.kind == "number" and _is_digits(token.text):
            if len(token.text) > 1:
                rest = Token("number", token.text[1:], False)
                self.at -= 1
                self.tokens = [*self.tokens[: self.at], rest, *self.tokens[self.at + 1 :]]
            return Integer(token.text[0])
        self.at -= 1
        return self.primary()

    def fraction(self) -> Expr:
        return self.argument() / self.argument()

    def root(self) -> Expr:
        degree = Integer(2)
        if self.peek() == "[":
            degree = self.group(self.next().text)
        plain = self.kind() == "number"  # √18 and sqrt 18 take the whole number
        radicand = self.primary() if plain else self.argument()
        if degree.is_Integer and degree % 2 == 1 and radicand.is_negative:
            return -sympy.root(-radicand, degree)
        return sympy.root(radicand, degree)

    def binomial(self) -> Expr:
        return sympy.binomial(self.argument(), self.argument())

    def function(self, name: str) -> Expr:
        base = Integer(10)
        if name == "log" and self.peek() == "_":
            self.at += 1
            base = self.argument()
        power = None
        if self.peek() == "^":
            self.at += 1
            power = self.script()
        if name in _OF_SEVERAL:
            return _OF_SEVERAL[name](*self.several())
        argument = self.function_argument()
        if power == -1:
            if name not in _INVERSES:
                raise UnreadableError(f"the inverse of {name} is not read")
            return _INVERSES[name](argument)
        if name in ("log", "lg"):
            value = sympy.log(argument, base)
        else:
            value = _SIMPLE_FUNCTIONS[name](argument)
        return value if power is None else value**power

    def function_argument(self) -> Expr:
        if self.peek() in ("(", "{", "["):
            return self.group(self.next().text)
        sign = 1
        while self.peek() == "-":
            self.at += 1
            sign = -sign
        value = self.power()
        while self.starts_factor() and self.peek() not in FUNCTIONS:
            value = value * self.power()
        return sign * value

    def several(self) -> list[Expr]:
        opened = self.next().text
        if opened not in ("(", "\\{", "{"):
            raise UnreadableError("several arguments need brackets")
        values = [self.sum()]
        while self.peek() == ",":
            self.at += 1
            values.append(self.sum())
        self.expect(_CLOSED_BY[opened])
        return values

    def matrix(self, name: str) -> Expr | MatrixBase:
        start = self.at
        while self.kind() not in ("end", ""):
            self.at += 1
        rows = split(self.tokens[start : self.at], ("\\\\",))
        if self.next().text != name or name not in _MATRICES:
            raise UnreadableError(f"{name} is not a matrix")
        if not rows[-1]:
            rows.pop()  # a line break after the last row
        matrix = sympy.Matrix(
            [[read_expression(cell) for cell in split(row, ("&",))] for row in rows]
        )
        return matrix.det() if name == _DETERMINANT else matrix


def split(tokens: list[Token], separators: tuple[str, ...]) -> list[list[Token]]:
    r"""Split tokens at separators outside every bracket.

    Args:
        tokens: The tokens to split.
        separators: Keys of the tokens to split at.

    Returns:
        The parts between the separators: one more than there are separators.

    Raises:
        UnreadableError: If the brackets are not balanced.

    Example:
        >>> from reference_impl.rules.math.tokens import tokenize
        >>> [len(part) for part in split(tokenize("(1,2),3"), (",",))]
        [5, 1]

    Explained in :ref:`math-symbolic`.
    """
    return split_with_keys(tokens, separators)[0]


def split_with_keys(
    tokens: list[Token], separators: tuple[str, ...]
) -> tuple[list[list[Token]], list[str]]:
    r"""Split tokens as `split` does, and name the separators.

    Args:
        tokens: The tokens to split.
        separators: Keys of the tokens to split at.

    Returns:
        The parts, and the keys of the separators between them.

    Raises:
        UnreadableError: If the brackets are not balanced.

    Example:
        >>> from reference_impl.rules.math.tokens import tokenize
        >>> split_with_keys(tokenize(r"2 < x \le 5"), ("<", "le"))[1]
        ['<', 'le']

    Explained in :ref:`math-symbolic`.
    """
    parts: list[list[Token]] = [[]]
    found: list[str] = []
    depth = 0
    for token in tokens:
        name = key(token)
        depth += (name in OPENING) - (name in CLOSING)
        if depth < 0:
            break
        if not depth and name in separators:
            parts.append([])
            found.append(name)
        else:
            parts[-1].append(token)
    if depth:
        raise UnreadableError("a bracket is not closed, or was never opened")
    return parts, found


def _proper(top: str, bottom: str) -> Rational:
    if not (_is_digits(top) and _is_digits(bottom)) or not 0 < int(top) < int(bottom):
        raise UnreadableError("a whole number beside an improper fraction")
    return Rational(int(top), int(bottom))


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


_COMMANDS = {
    "frac": _Reader.fraction,
    "sqrt": _Reader.root,
    "binom": _Reader.binomial,
    "pi": lambda reader: sympy.pi,
    "infty": lambda reader: sympy.oo,
}
_FACTORS = frozenset({*_CLOSED_BY, *_COMMANDS, *FUNCTIONS, *GREEK})
_IN_SUBSCRIPT = frozenset((",", "+", "-", *GREEK))
