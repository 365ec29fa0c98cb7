r"""Cut the text of an answer into the tokens of mathematics, whole or not at all."""

import re
from dataclasses import dataclass


class UnreadableError(ValueError):
    """The text does not read as mathematics as a whole."""


@dataclass(frozen=True, slots=True)
class Token:
    r"""One token of an answer.

    Attributes:
        kind: "number", "letter", "command" (without its backslash), "text" (what stands in
            ``\text{...}``, or a plain word), "accent" (a letter with a mark, or bold), "begin" and
            "end" (of a matrix), or "mark" (any other character).
        text: What was written.
        spaced: Whether white space stands before it.

    Explained in :ref:`math-symbolic`.
    """

    kind: str
    text: str
    spaced: bool


# LaTeX that sets the type and says nothing; it goes, and leaves at most a space.
_TYPESETTING = (
    r"\\(?:left|right|bigg?[lr]?|Bigg?[lr]?|displaystyle|textstyle|limits|quad|qquad|ensuremath)"
    r"(?![a-zA-Z])"
)
_TOKEN = re.compile(
    # A tie is a space; before a number it says "about", and has no place in an answer.
    r"(?P<space>\s++|~(?![0-9.\s])|\\[,;:!>\ ])"
    rf"|(?P<typesetting>{_TYPESETTING})"
    r"|(?P<text>\\(?:text|textbf|textit|textrm|textnormal|mathrm|mathit|mbox|operatorname)"
    r"(?![a-zA-Z])\s*+\{(?P<words>[^{}]*+)\})"
    r"|(?P<accent>\\(?P<mark>vec|hat|bar|overline|overrightarrow|mathbf|bm|boldsymbol|mathcal"
    r"|mathbb|dot|tilde|widehat|widetilde|underline)(?![a-zA-Z])\s*+"
    r"(?:\{(?P<under>[^{}]*+)\}|(?P<one>[A-Za-z0-9])))"
    r"|(?P<begin>\\begin\s*+\{(?P<opened>[a-zA-Z]++)\})"
    r"|(?P<end>\\end\s*+\{(?P<closed>[a-zA-Z]++)\})"
    r"|(?P<number>(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?P<exponent>[eE][+-]?[0-9]++)?)"
    r"|\\(?P<command>[a-zA-Z]++)"
    r"|(?P<escape>\\[^a-zA-Z])"
    r"|(?P<word>[a-zA-Z]++)"
    r"|(?P<operator><=|>=|!=|==|\*\*)"
    r"|(?P<other>.)",
    re.DOTALL,
)

_SAME_COMMAND = {
    **dict.fromkeys(("dfrac", "tfrac", "cfrac"), "frac"),
    **dict.fromkeys(("dbinom", "tbinom"), "binom"),
    **dict.fromkeys(("leq", "leqslant", "leqq"), "le"),
    **dict.fromkeys(("geq", "geqslant", "geqq"), "ge"),
    **dict.fromkeys(("lt",), "<"),
    **dict.fromkeys(("gt",), ">"),
    "neq": "ne",
    "lbrace": "{",
    "rbrace": "}",
    "lbrack": "[",
    "rbrack": "]",
    "lparen": "(",
    "rparen": ")",
    "ast": "*",
    "cdotp": "cdot",
    "lor": "or",
    "vee": "or",
    "land": "and",
    "wedge": "and",
    "inf": "infty",
    "infinity": "infty",
    "varnothing": "emptyset",
    "percent": "%",
    "percentage": "%",
    "pct": "%",
    **dict.fromkeys(("lvert", "rvert", "vert", "mid"), "|"),
}
# Commands that stand for one character, which is then a mark like any other.
_MARK_COMMANDS = frozenset("<>[]()*|%")
_OPERATORS = {"<=": "le", ">=": "ge", "!=": "ne"}

_GREEK_LETTERS = """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi
    rho varrho sigma tau upsilon phi varphi chi psi omega ell
    Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega
"""
_FUNCTION_NAMES = """
    sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh
    log ln lg exp gcd lcm max min
"""
# Short words that are not a product of variables, as "xy" is.
_SHORT_WORDS = """
    cm mm km kg mg ml ft in mi min hr hrs day oz lb lbs mph deg
    yes no not nor but is are was the all any one two six ten odd red on of to at it if so up
"""
GREEK = frozenset(_GREEK_LETTERS.split())
FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
_JOINING = frozenset(("or", "and"))
_PERCENT = frozenset(("percent", "percentage", "pct", "%"))
# What may be written without a backslash.
_PLAIN_COMMANDS = (
    FUNCTIONS
    | (GREEK - {"nu", "mu", "xi", "ell"})
    | frozenset(("pi", "sqrt", "infinity", "inf"))
    | _JOINING
    | _PERCENT
)
_CHARACTERS = {
    "π": "pi",
    "√": "sqrt",
    "∞": "infty",
    "≤": "le",
    "≥": "ge",
    "≠": "ne",
    "≈": "approx",
    "±": "pm",
    "∓": "mp",
    "∪": "cup",
    "∩": "cap",
    "∈": "in",
    "∅": "emptyset",
    "°": "circ",
    "×": "times",
    "·": "cdot",
    "⋅": "cdot",
    "∙": "cdot",
    "÷": "div",
    "⟨": "langle",
    "⟩": "rangle",
    "⌊": "lfloor",
    "⌋": "rfloor",
    "⌈": "lceil",
    "⌉": "rceil",
    "θ": "theta",
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "λ": "lambda",
    "φ": "phi",
    "ω": "omega",
}
_POWERS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True))

_NEVER_A_PRODUCT = frozenset(_SHORT_WORDS.split())
# A run of at most so many letters is a product of variables, a longer one is a word.
_LONGEST_PRODUCT = 3

_LARGEST_EXPONENT = 10_000


def tokenize(text: str) -> list[Token]:
    r"""Cut an answer into tokens.

    Args:
        text: The bare text of an answer.

    Returns:
        Its tokens, in order. White space and LaTeX that only sets the type are gone.

    Raises:
        UnreadableError: If a command is cut off.

    Example:
        >>> [token.text for token in tokenize(r"\dfrac{1}{2}\pi")]
        ['frac', '{', '1', '}', '{', '2', '}', 'pi']

    Explained in :ref:`math-symbolic`.
    """
    tokens: list[Token] = []
    spaced = False
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind in ("space", "typesetting"):
            spaced = True
            continue
        tokens += _MAKERS[str(kind)](match, spaced)
        spaced = False
    return tokens


def _accent(match: re.Match[str], spaced: bool) -> list[Token]:
    under = match["under"] if match["under"] is not None else match["one"]
    return [Token("accent", f"{match['mark']} {under.strip()}", spaced)]


def _escape(match: re.Match[str], spaced: bool) -> list[Token]:
    escaped = match["escape"][1]
    if escaped in "%$":
        return [Token("mark", escaped, spaced)]
    if escaped in "{}\\":
        return [Token("command", escaped, spaced)]
    raise UnreadableError(rf"\{escaped} is no command")


def _command(name: str, spaced: bool) -> Token:
    name = _SAME_COMMAND.get(name, name)
    return Token("mark" if name in _MARK_COMMANDS else "command", name, spaced)


def _operator(match: re.Match[str], spaced: bool) -> list[Token]:
    written = match["operator"]
    if written in _OPERATORS:
        return [Token("command", _OPERATORS[written], spaced)]
    return [Token("mark", {"==": "=", "**": "^"}[written], spaced)]


def _character(match: re.Match[str], spaced: bool) -> list[Token]:
    character = match["other"]
    if character in _CHARACTERS:
        return [Token("command", _CHARACTERS[character], spaced)]
    if character in _POWERS:
        return [Token("mark", "^", spaced), Token("number", _POWERS[character], False)]
    return [Token("mark", character, spaced)]


def _text(match: re.Match[str], spaced: bool) -> list[Token]:
    r"""The tokens of \text{...}: a function, a word that joins, a letter, a unit."""
    stripped = match["words"].strip()
    plain = stripped.strip(",").strip()
    if not plain:
        return [Token("mark", ",", spaced)] if stripped else []
    if plain in FUNCTIONS or plain in _JOINING or plain in _PERCENT:
        return [_command(plain, spaced)]
    return [Token("text", stripped, spaced)]


def _word(match: re.Match[str], spaced: bool) -> list[Token]:
    word = match["word"]
    if word in _PLAIN_COMMANDS:
        return [_command(word, spaced)]
    if len(word) > _LONGEST_PRODUCT or word.lower() in _NEVER_A_PRODUCT:
        return [Token("text", word, spaced)]
    return [Token("letter", letter, spaced and i == 0) for i, letter in enumerate(word)]


def _number(match: re.Match[str], spaced: bool) -> list[Token]:
    exponent = match["exponent"]
    if exponent is None:
        return [Token("number", match["number"], spaced)]
    mantissa = match["number"].removesuffix(exponent)
    if exponent[:2] in ("e+", "e-") and "." not in mantissa:
        raise UnreadableError("2e-3 may be a power of ten, or twice e without three")
    if abs(int(exponent[1:])) > _LARGEST_EXPONENT:
        raise UnreadableError("the power of ten is too large")
    return [
        Token("number", mantissa, spaced),
        Token("command", "times", False),
        Token("number", "10", False),
        Token("mark", "^", False),
        Token("mark", "{", False),
        *(Token("mark", sign, False) for sign in exponent[1:2] if sign in "+-"),
        Token("number", exponent[1:].lstrip("+-"), False),
        Token("mark", "}", False),
    ]


_MAKERS = {
    "text": _text,
    "accent": _accent,
    "begin": lambda match, spaced: [Token("begin", match["opened"], spaced)],
    "end": lambda match, spaced: [Token("end", match["closed"], spaced)],
    "number": _number,
    "command": lambda match, spaced: [_command(match["command"], spaced)],
    "escape": _escape,
    "word": _word,
    "operator": _operator,
    "other": _character,
}
