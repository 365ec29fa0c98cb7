r"""Bring an answer to one written form, so that markup and typography do not decide a reward."""

import re

# Beyond this many characters only the characters are normalized. Nobody writes an answer this
# long, and peeling markup off layer by layer must not become slow on a text made for that purpose.
MAX_MARKUP_CHARACTERS = 2_000


def _character_table() -> dict[int, str]:
    # Named ranges rather than Unicode's NFKC, which also rewrites what an answer means: it turns
    # x² into x2, and 10² into 102.
    table = {0xFF01 + i: chr(0x21 + i) for i in range(94)}  # full-width ASCII
    table |= dict.fromkeys([*range(0x00, 0x20), *range(0x7F, 0xA0)], "")  # control, NUL included
    table |= dict.fromkeys(map(ord, "\t\n\v\f\r\x85"), " ")  # white space among them
    invisible = [0xAD, 0x61C, 0x180E, 0xFEFF]
    invisible += [*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)]
    table |= dict.fromkeys(invisible, "")  # zero-width characters, marks of writing direction
    table |= dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212\ufe63"), "-")  # hyphens, minus
    table |= {ord("￥"): "¥", ord("￡"): "£"}
    return table


_CHARACTERS = _character_table()

_DOLLAR = re.compile(r"(?<!\\)\$")

# LaTeX that changes how an answer looks and not what it says.
_LATEX = re.compile(
    r"(?P<kept>\\\\)"
    r"|(?P<dropped>\\[()\[\]!]|\\(?:left|right)(?![a-z]))"
    r"|(?P<space>\\[,;:>\ ]|\\q?quad(?![a-z]))"
    r"|(?P<comma>\{,\})"
    r"|\\(?P<escaped>[$%])"
    r"|(?P<degree>\^\ ?(?:\\circ(?![a-z])|\{\ ?\\circ\ ?\}))"
    r"|(?P<frac>\\[dt]frac(?![a-z]))"
)
_LATEX_REPLACEMENT = {
    "kept": r"\\",
    "dropped": "",
    "space": " ",
    "comma": ",",
    "degree": "°",
    "frac": r"\frac",
}

# A tie is a space that does not break. Before a number "~" says "about", so only a tie between a
# number or a brace and a word is taken for one.
_TIE = re.compile(r"(?<=[0-9{}])~(?=[a-z]|\\(?:text|math))")

_WRAPPER = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|boldsymbol|bm|underline|fbox|boxed)\s?"
    r"\{((?:[^{}]++|\{[^{}]*+\})*)\}"
)

_BOLD = re.compile(r"\*\*([^*]++)\*\*")
_PAIRS = {"*": "*", "`": "`", '"': '"', "'": "'", "“": "”", "‘": "’", "「": "」"}


def normalize_answer(text: str) -> str:
    r"""Return one written form for all the ways to typeset the same answer.

    It changes how an answer is written and, apart from letter case, not what it means: "1/2" and
    "0.5" stay apart. In order:

    - full-width characters become ASCII, every minus sign and hyphen becomes "-", zero-width,
      direction and control characters go, letters lose their case, white space becomes one space;
    - LaTeX that only sets the type goes: ``$...$``, ``\(...\)``, ``\[...\]``, ``\text{...}`` and
      its like, ``\left``, ``\right``, spacing commands; ``{,}`` becomes ",", ``\$`` and ``\%``
      become "$" and "%", ``^\circ`` becomes "°", ``\dfrac`` and ``\tfrac`` become ``\frac``;
    - marks around the answer go: bold, code, quotation marks, the full stop at the end.

    Normalizing twice changes nothing. No str makes it raise. An answer of more than 2,000
    characters keeps its LaTeX and its marks.

    Args:
        text: An answer as it is written.

    Returns:
        The normalized answer. It is empty if the text holds nothing visible.

    Example:
        >>> normalize_answer(r"**$\dfrac{3}{4}\text{ Cups}$**.")
        '\\frac{3}{4} cups'
        >>> normalize_answer("－１，２３４")
        '-1,234'
        >>> normalize_answer("10²")
        '10²'

    Explained in :ref:`exact-match`.
    """
    return _strip_markup(" ".join(text.translate(_CHARACTERS).casefold().split()))


def normalize_typesetting(text: str) -> str:
    r"""Return what `normalize_answer` returns, with the letters' case kept.

    Args:
        text: An answer as it is written.

    Returns:
        The normalized answer. It is empty if the text holds nothing visible.

    Example:
        >>> normalize_typesetting(r"$\left(\Delta,\, \delta\right)$")
        '(\\Delta, \\delta)'

    Explained in :ref:`exact-match`.
    """
    return _strip_markup(" ".join(text.translate(_CHARACTERS).split()))


def _strip_markup(text: str) -> str:
    if len(text) > MAX_MARKUP_CHARACTERS:
        return text
    while True:
        stripped = _strip_layer(text)
        if stripped == text:
            return text
        text = stripped


def _strip_layer(text: str) -> str:
    if "$" in text and len(_DOLLAR.findall(text)) % 2 == 0:
        # Dollar signs in pairs delimit math; a single one is a currency. A space takes their place,
        # so that "$1,$234" does not turn into a number.
        text = _DOLLAR.sub(" ", text)
    text = _TIE.sub(" ", text)
    if "\\" in text or "{,}" in text:
        # Commands first: without its braces, the text of "\circ\text{C}" would run into "\circ".
        text = _LATEX.sub(_typeset_plainly, text)
        text = _WRAPPER.sub(_unwrapped, text)
    # Here too a space, so that the power "2**3**2" does not turn into a number.
    text = " ".join(_BOLD.sub(r" \1 ", text).split())
    text = text.removeprefix("**").removesuffix("**")
    if len(text) > 1 and _PAIRS.get(text[0]) == text[-1]:
        text = text[1:-1]
    if text.endswith((".", "。")) and not text.endswith(".."):
        text = text[:-1]
    return text.strip()


def _unwrapped(wrapper: re.Match[str]) -> str:
    # "5\text{km}" is "5 km": a unit keeps its distance from the number.
    before = wrapper.string[: wrapper.start()][-1:]
    return f" {wrapper[1]}" if before.isdigit() else wrapper[1]


def _typeset_plainly(command: re.Match[str]) -> str:
    if command["escaped"]:
        return command["escaped"]
    return _LATEX_REPLACEMENT[str(command.lastgroup)]
