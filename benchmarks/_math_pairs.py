r"""Gold answers and answers to compare with them, of every kind that data sets of mathematics hold.

A kind makes a gold, other ways to write it, and answers that are near and wrong. All is drawn from
a seeded generator; no data set is copied.
"""

from collections.abc import Callable
from fractions import Fraction
from math import factorial
from random import Random
from typing import NamedTuple


class Answers(NamedTuple):
    """One gold answer, and answers to compare with it; LaTeX without dollar signs.

    Attributes:
        gold: The gold answer.
        same: The same answer, written in other ways.
        different: Wrong answers.
    """

    gold: str
    same: list[str]
    different: list[str]


class Pair(NamedTuple):
    """A gold answer, and an answer to compare with it.

    Attributes:
        gold: The gold answer, bare LaTeX.
        written: The other answer, bare LaTeX.
        kind: The kind of the answer, a key of `KINDS`.
        equal: Whether they are the same, by how they were made.
    """

    gold: str
    written: str
    kind: str
    equal: bool


Kind = Callable[[Random], Answers]


def make_pairs(rng: Random, kind: str, count: int) -> list[Pair]:
    """Make pairs of a kind that have the same gold, equal or not with the same odds.

    Args:
        rng: Where all choices come from.
        kind: A key of `KINDS`.
        count: How many.

    Returns:
        The pairs. Half of the equal ones are written as the gold is, as models mostly do.
    """
    gold, same, different = KINDS[kind](rng)
    pairs = []
    for _ in range(count):
        equal = rng.random() < 0.5
        choices = (same if rng.random() < 0.5 else [gold]) if equal else different
        pairs.append(Pair(gold, typeset(rng, rng.choice(choices)), kind, equal))
    return pairs


def _with_growing_brackets(latex: str) -> str:
    if r"\left" in latex:
        return latex
    return latex.replace("(", r"\left(").replace(")", r"\right)")


def typeset(rng: Random, latex: str) -> str:
    """Change how LaTeX looks and not what it says, in two of three cases."""
    changes: list[Callable[[str], str]] = [
        lambda text: text,
        lambda text: text.replace(r"\frac", r"\dfrac"),
        _with_growing_brackets,
        lambda text: text.replace(", ", r",\, "),
        lambda text: text.replace(" + ", "+").replace(" - ", "-").replace(", ", ","),
        lambda text: f" {text} ",
    ]
    return rng.choice(changes)(latex)


def _nonzero(rng: Random, size: int) -> int:
    return rng.choice((-1, 1)) * rng.randint(1, size)


def _two(rng: Random, low: int, high: int) -> tuple[int, int]:
    """Two different numbers, in rising order."""
    first, second = sorted(rng.sample(range(low, high + 1), 2))
    return first, second


def _frac(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return f"{sign}{_over(abs(value.numerator), value.denominator)}"


def _over(top: object, bottom: object) -> str:
    return rf"\frac{{{top}}}{{{bottom}}}"


def _root(radicand: object) -> str:
    return rf"\sqrt{{{radicand}}}"


def _fraction(rng: Random) -> Fraction:
    while True:
        value = Fraction(_nonzero(rng, 40), rng.randint(2, 30))
        if value.denominator > 1:
            return value


def _term(coefficient: int, symbols: str) -> str:
    """A term behind another one, with its sign: " + 3x", " - x"."""
    sign = "-" if coefficient < 0 else "+"
    size = "" if abs(coefficient) == 1 and symbols else str(abs(coefficient))
    return f" {sign} {size}{symbols}"


def _leading(coefficient: int, symbols: str) -> str:
    size = "" if abs(coefficient) == 1 and symbols else str(abs(coefficient))
    return f"{'-' if coefficient < 0 else ''}{size}{symbols}"


# -- numbers


def integer(rng: Random) -> Answers:
    number = rng.choice((rng.randint(0, 20), _nonzero(rng, 500), rng.randint(1_000, 2_000_000)))
    same = [f"{number}.0", f"{number}.00", f"{number:,}", f"{number:,}".replace(",", "{,}")]
    same += [f"{2 * number}/2", _over(3 * number, 3)]
    different = [str(number + 1), str(number - 1), f"{10 * number + 1}", f"{number}.5"]
    different += [str(-number)] if number else []
    return Answers(str(number), same, different)


def large_integer(rng: Random) -> Answers:
    number = rng.randint(10**9, 10**18)
    same = [f"{number:,}", f"{number:,}".replace(",", "{,}"), f"{number:,}".replace(",", r"\,")]
    return Answers(str(number), same, [str(number + 1), str(number - 10), str(number // 10)])


def decimal(rng: Random) -> Answers:
    places = rng.randint(1, 4)
    value = Fraction(_nonzero(rng, 10**places * 20), 10**places)
    written = f"{float(value):.{places}f}"
    same = [_frac(value), f"{written}0", f"{value.numerator}/{value.denominator}"]
    step = Fraction(1, 10**places)
    different = [f"{float(value + step):.{places}f}", _frac(-value), _frac(value * 10)]
    return Answers(written, same, different)


def fraction(rng: Random) -> Answers:
    value = _fraction(rng)
    top, bottom = abs(value.numerator), value.denominator
    sign = "-" if value < 0 else ""
    same = [f"{sign}{top}/{bottom}", rf"{sign}\tfrac{{{top}}}{{{bottom}}}"]
    same += [_over(value.numerator, bottom), f"{sign}{_over(2 * top, 2 * bottom)}"]
    same += [rf"{sign}\frac{top}{bottom}"] if top < 10 and bottom < 10 else []
    different = [f"{sign}{_over(top + 1, bottom)}", f"{sign}{_over(top, bottom + 1)}"]
    different += [f"{sign}{_over(bottom, top)}", _frac(-value), f"{float(value):.3f}9"]
    return Answers(_frac(value), same, different)


def rounded(rng: Random) -> Answers:
    """A fraction against its decimal: six places are enough, two are not."""
    value = Fraction(rng.randint(1, 60), rng.choice((3, 7, 9, 11, 13, 17)))
    if value.denominator == 1:
        value += Fraction(1, 3)
    same = [f"{float(value):.{places}f}" for places in (6, 7, 8, 10)]
    return Answers(_frac(value), same, [f"{float(value):.2f}", f"{float(value) + 0.001:.6f}"])


def tiny_decimal(rng: Random) -> Answers:
    """Numbers that six decimal places make zero."""
    digit = rng.randint(1, 9)
    zeros = "0" * rng.randint(6, 9)
    same = [f"0.{zeros}{digit}0", rf"{digit} \times 10^{{-{len(zeros) + 1}}}"]
    different = ["0", f"0.{zeros}{digit}5", f"0.{zeros}0{digit}"]
    return Answers(f"0.{zeros}{digit}", same, different)


def mixed_number(rng: Random) -> Answers:
    whole, bottom = rng.randint(1, 20), rng.randint(2, 12)
    value = whole + Fraction(rng.randint(1, bottom - 1), bottom)
    rest = value - whole
    same = [rf"{whole}{_frac(rest)}", rf"{whole} {_frac(rest)}"]
    return Answers(_frac(value), same, [_frac(value + 1), rf"{whole + 1}{_frac(rest)}"])


def scientific(rng: Random) -> Answers:
    tenths, exponent = rng.randint(11, 99), rng.randint(2, 9)
    mantissa = f"{tenths / 10:.1f}"
    same = [str(tenths * 10 ** (exponent - 1)), rf"{mantissa} \cdot 10^{{{exponent}}}"]
    different = [rf"{mantissa} \times 10^{{{exponent + 1}}}"]
    different += [rf"{mantissa} \times 10^{{-{exponent}}}"]
    different += [rf"{(tenths + 1) / 10:.1f} \times 10^{{{exponent}}}"]
    return Answers(rf"{mantissa} \times 10^{{{exponent}}}", same, different)


def percent(rng: Random) -> Answers:
    number = rng.randint(1, 99)
    same = [rf"{number}\%", rf"{number}.0\%", f"{number / 100:g}", _frac(Fraction(number, 100))]
    different = [str(number), rf"{number + 1}\%", f"{number / 10:g}", rf"{number / 10:g}\%"]
    return Answers(rf"{number}\%", same, different)


def money(rng: Random) -> Answers:
    number = rng.choice((str(rng.randint(2, 900)), f"{rng.randint(100, 9_000) / 100:.2f}"))
    same = [number, rf"\${number}", rf"{number}\text{{ dollars}}"]
    different = [rf"\${number}1", rf"-\${number}", f"1{number}"]
    return Answers(rf"\${number}", same, different)


def with_unit(rng: Random) -> Answers:
    number = rng.randint(2, 300)
    unit = rng.choice(("cm", "meters", "inches", "minutes", "square feet", "km/h", "cm^2"))
    name, squared, _ = unit.partition("^")
    power = "^2" if squared else ""
    with_it = rf"{number}\text{{ {name}}}{power}"
    same = [
        str(number),
        rf"{number}\ \text{{{name}}}{power}",
        rf"{number}\mathrm{{\ {name}}}{power}",
    ]
    different = [rf"{number + 1}\text{{ {name}}}{power}", str(number - 1)]
    if rng.random() < 0.5:
        return Answers(str(number), [with_it, *same], different)
    other_unit = [rf"{number}\text{{ miles}}", rf"{number}\text{{ hours}}"]
    return Answers(with_it, same, different + other_unit)


def degrees(rng: Random) -> Answers:
    number = rng.randint(2, 359)
    same = [
        str(number),
        rf"{number}^{{\circ}}",
        rf"{number}\text{{ degrees}}",
        rf"{number} ^ \circ",
    ]
    different = [rf"{number + 1}^\circ", rf"{number // 2 + 400}^\circ", str(number - 1)]
    return Answers(rf"{number}^\circ", same, different)


def numeral(rng: Random) -> Answers:
    number, base = rng.randint(20, 900), rng.randint(3, 8)
    digits, rest = "", number
    while rest:
        digits, rest = str(rest % base) + digits, rest // base
    other = digits[:-1] + str((int(digits[-1]) + 1) % base)
    different = [f"{other}_{base}", f"{other}_{{{base}}}"]
    return Answers(f"{digits}_{base}", [f"{digits}_{{{base}}}"], different)


def repeating_decimal(rng: Random) -> Answers:
    digit, first = rng.randint(1, 8), rng.randint(0, 9)
    value = Fraction(9 * first + digit, 90) if rng.random() < 0.5 else Fraction(digit, 9)
    start = "" if value == Fraction(digit, 9) else str(first)
    gold = rf"0.{start}\overline{{{digit}}}"
    different = [rf"0.{start}\overline{{{digit + 1}}}", f"0.{start}{digit}", _frac(value + 1)]
    return Answers(gold, [_frac(value), rf"0.{start}\overline{{{digit}}}"], different)


def ratio(rng: Random) -> Answers:
    first, second = rng.sample(range(1, 30), 2)
    different = [f"{second}:{first}", f"{first + 1}:{second}", f"{first}:{second + 1}"]
    return Answers(f"{first}:{second}", [f"{first} : {second}"], different)


# -- expressions


def surd(rng: Random) -> Answers:
    factor, root = rng.randint(2, 12), rng.choice((2, 3, 5, 6, 7, 10, 11, 13))
    gold = f"{factor}{_root(root)}"
    same = [_root(factor * factor * root), rf"{factor} \cdot {_root(root)}"]
    same += [_over(factor * root, _root(root)), rf"{_root(root)} \cdot {factor}"]
    different = [f"{factor + 1}{_root(root)}", _root(factor * root), f"-{gold}"]
    return Answers(gold, same, [*different, f"{factor}{_root(root + 1)}", str(factor)])


def surd_sum(rng: Random) -> Answers:
    first, factor = _nonzero(rng, 9), _nonzero(rng, 9)
    root, under = _root(rng.choice((2, 3, 5, 7, 17, 33))), rng.choice((2, 3, 4, 7))
    top = f"{first}{_term(factor, root)}"
    sign = "-" if factor < 0 else "+"
    apart = f"{_frac(Fraction(first, under))} {sign} {_over(_leading(abs(factor), root), under)}"
    same = [_over(f"{_leading(factor, root)}{_term(first, '')}", under), apart]
    different = [_over(f"{first}{_term(-factor, root)}", under), _over(top, under + 1)]
    return Answers(_over(top, under), same, different)


def multiple_of_pi(rng: Random) -> Answers:
    value = rng.choice((_fraction(rng), Fraction(rng.randint(2, 200))))
    top, bottom = _leading(value.numerator, r"\pi"), value.denominator
    gold = top if bottom == 1 else _over(top, bottom)
    same = [rf"{_frac(value)}\pi", f"{top}/{bottom}"]
    different = [rf"{_frac(value + 1)}\pi", rf"{_frac(-value)}\pi", _frac(value)]
    return Answers(gold, same, different)


def polynomial(rng: Random) -> Answers:
    first, second = rng.sample([n for n in range(-9, 10) if n], 2)
    x = rng.choice("xtnab")
    middle = _term(first + second, x) if first + second else ""
    last = first * second
    gold = f"{x}^2{middle}{_term(last, '')}"
    same = [f"({x}{_term(first, '')})({x}{_term(second, '')})"]
    same += [f"{last}{middle} + {x}^2", f"{x}^{{2}}{middle}{_term(last, '')}"]
    different = [f"{x}^2{middle}{_term(-last, '')}", f"{x}^3{middle}{_term(last, '')}"]
    different += [f"({x}{_term(-first, '')})({x}{_term(second, '')})"]
    return Answers(gold, same, different)


def linear(rng: Random) -> Answers:
    slope, rest = _nonzero(rng, 12), _nonzero(rng, 30)
    x = rng.choice("xtnk")
    gold = f"{_leading(slope, x)}{_term(rest, '')}"
    same = [f"{rest}{_term(slope, x)}", f"{_leading(slope, f' {x}')}{_term(rest, '')}"]
    different = [f"{_leading(slope, x)}{_term(-rest, '')}", str(rest)]
    return Answers(gold, same, [*different, f"{_leading(-slope, x)}{_term(rest, '')}"])


def quotient(rng: Random) -> Answers:
    first, second = rng.sample([n for n in range(-9, 10) if n], 2)
    top, bottom = f"x{_term(first, '')}", f"x{_term(second, '')}"
    factor = rng.choice((2, 3, -1))
    scaled = [f"{_leading(factor, 'x')}{_term(factor * n, '')}" for n in (first, second)]
    same = [_over(*scaled), f"({top})/({bottom})", f"1 + {_over(first - second, bottom)}"]
    different = [_over(bottom, top), _over(top, f"x{_term(-second, '')}")]
    return Answers(_over(top, bottom), same, different)


def power(rng: Random) -> Answers:
    base, exponent = rng.randint(2, 9), rng.randint(2, 8)
    same = [str(base**exponent), rf"{base} \cdot {base}^{{{exponent - 1}}}"]
    different = [f"{base}^{{{exponent + 1}}}", str(base * exponent + 1), f"{base}^{{-{exponent}}}"]
    return Answers(f"{base}^{{{exponent}}}", same, [*different, str(base**exponent + 1)])


def several_variables(rng: Random) -> Answers:
    first, second = _nonzero(rng, 9), _nonzero(rng, 9)
    start = _leading(first, "a^2b")
    same = [f"ab({_leading(first, 'a')}{_term(second, 'b')})"]
    same += [f"{_leading(second, 'ab^2')}{_term(first, 'a^2b')}"]
    different = [f"{start}{_term(-second, 'ab^2')}", f"{start}{_term(second, 'a^2b^2')}"]
    return Answers(f"{start}{_term(second, 'ab^2')}", same, different)


def exponential(rng: Random) -> Answers:
    rate, rest = rng.randint(2, 9), _nonzero(rng, 9)
    gold = f"e^{{{rate}x}}{_term(rest, '')}"
    same = [f"{rest} + e^{{{rate}x}}", rf"\exp({rate}x){_term(rest, '')}"]
    different = [f"e^{{{rate + 1}x}}{_term(rest, '')}", f"e^{{-{rate}x}}{_term(rest, '')}"]
    return Answers(gold, same, different)


def logarithm(rng: Random) -> Answers:
    first, second = rng.sample((2, 3, 5, 7), 2)
    gold = rf"\ln {first * second}"
    same = [rf"\ln({first * second})", rf"\ln {first} + \ln {second}"]
    different = [rf"\ln {first + second}", rf"\ln {first} \cdot \ln {second}", str(first * second)]
    return Answers(gold, same, different)


def trigonometry(rng: Random) -> Answers:
    factor = rng.randint(2, 9)
    function, other = rng.choice((("sin", "cos"), ("cos", "sin")))
    gold = rf"{factor}\{function} x"
    same = [rf"{factor}\{function}(x)", rf"{factor} \cdot \{function} x"]
    different = [rf"{factor}\{other} x", rf"\{function}({factor}x)", rf"-{factor}\{function} x"]
    return Answers(gold, same, different)


def counting(rng: Random) -> Answers:
    """Factorials and binomials against their values."""
    n = rng.randint(4, 10)
    k = rng.randint(2, n - 2)
    value = 1
    for i in range(k):
        value = value * (n - i) // (i + 1)
    different = [rf"\binom{{{n}}}{{{k - 1}}}", str(value + 1), f"{n}!"]
    if 2 * k - 1 == n:
        different = different[1:]
    return Answers(rf"\binom{{{n}}}{{{k}}}", [str(value), rf"\binom{{{n}}}{{{n - k}}}"], different)


def complex_number(rng: Random) -> Answers:
    real, imaginary = _nonzero(rng, 12), _nonzero(rng, 12)
    gold = f"{real}{_term(imaginary, 'i')}"
    different = [f"{real}{_term(-imaginary, 'i')}", f"{-real}{_term(imaginary, 'i')}"]
    if abs(real) != abs(imaginary):
        different.append(f"{imaginary}{_term(real, 'i')}")
    return Answers(gold, [f"{_leading(imaginary, 'i')}{_term(real, '')}"], different)


def decimal_surd(rng: Random) -> Answers:
    root = rng.choice((2, 3, 5, 6, 7, 10))
    value = root**0.5
    gold = rng.choice((_root(root), f"{value:.6f}"))
    same = [_root(root) if gold[0] != "\\" else f"{value:.7f}"]
    return Answers(gold, same, [f"{value:.2f}", f"{value:.4f}", _root(root + 1)])


def higher_root(rng: Random) -> Answers:
    degree, base = rng.choice((3, 4, 5)), rng.randint(2, 30)
    gold = rf"\sqrt[{degree}]{{{base}}}"
    same = [f"{base}^{{1/{degree}}}", f"{base}^{{{_over(1, degree)}}}"]
    different = [_root(base), rf"\sqrt[{degree}]{{{base + 1}}}", rf"\sqrt[{degree + 2}]{{{base}}}"]
    return Answers(gold, same, different)


def nested_fraction(rng: Random) -> Answers:
    value, under = _fraction(rng), rng.randint(2, 9)
    inner = _over(value.numerator, value.denominator)
    gold = _over(inner, under)
    different = [_frac(value * under), _over(under, inner), _frac(value / under + 1)]
    return Answers(
        gold, [_frac(value / under)], different if abs(value) != under else different[2:]
    )


def coefficient(rng: Random) -> Answers:
    """A variable behind a fraction or a decimal."""
    top, bottom = rng.randint(1, 9), rng.choice((2, 4, 5))
    while top % bottom == 0:
        top = rng.randint(1, 9)
    value = Fraction(top, bottom)
    same = [rf"{_frac(value)}x", _over(_leading(top, "x"), bottom), f"{top}x/{bottom}"]
    different = [_over(top, f"{bottom}x"), _frac(value), f"{_frac(value + 1)}x"]
    return Answers(_over(_leading(top, "x"), bottom), same, different)


def cubic(rng: Random) -> Answers:
    a, b, c, d = (_nonzero(rng, 9) for _ in range(4))
    terms = [(a, "x^3"), (b, "x^2"), (c, "x"), (d, "")]

    def written(some: list[tuple[int, str]]) -> str:
        return _leading(*some[0]) + "".join(_term(*term) for term in some[1:])

    changed = [*terms[:2], (-c, "x"), (d, "")]
    same = [written(terms[::-1]), written([terms[2], terms[0], terms[3], terms[1]])]
    return Answers(written(terms), same, [written(changed), written(terms[:3]), written(terms[1:])])


def function_value(rng: Random) -> Answers:
    """A trigonometric function or a logarithm of a number, against its value."""
    gold, same, wrong = rng.choice(
        (
            (r"\frac{1}{2}", r"\cos \frac{\pi}{3}", r"\cos \frac{\pi}{4}"),
            (r"\frac{\sqrt{3}}{2}", r"\sin(\pi/3)", r"\frac{\sqrt{2}}{2}"),
            ("1", r"\tan \frac{\pi}{4}", "-1"),
            ("3", r"\log_2 8", r"\log_2 9"),
            ("4", r"\log_{3} 81", r"\log_{4} 81"),
            (r"\sqrt{2} + \sqrt{3}", r"\sqrt{5 + 2\sqrt{6}}", r"\sqrt{5}"),
            ("7", "|-7|", "-7"),
            ("120", "5!", "4!"),
            ("5", r"\lfloor 5.7 \rfloor", r"\lceil 5.7 \rceil"),
        )
    )
    return Answers(gold, [same], [wrong])


def greek(rng: Random) -> Answers:
    letter, other = rng.sample((r"\theta", r"\alpha", r"\lambda", r"\omega", r"\phi"), 2)
    factor, rest = rng.randint(2, 9), _nonzero(rng, 9)
    gold = f"{factor}{letter}{_term(rest, '')}"
    different = [f"{factor}{other}{_term(rest, '')}", f"{factor}{letter}{_term(-rest, '')}"]
    return Answers(gold, [f"{rest}{_term(factor, letter)}"], different)


def subscript(rng: Random) -> Answers:
    first, second = rng.randint(2, 9), rng.randint(2, 9)
    gold = f"{first}x_1 + {second}x_2"
    different = [f"{first}x_1 - {second}x_2", f"{first}x_2 + {second + 1}x_1", f"{first}x_1"]
    return Answers(
        gold, [f"{second}x_2 + {first}x_1", f"{first}x_{{1}} + {second}x_{{2}}"], different
    )


def unit_letter(rng: Random) -> Answers:
    """An expression whose last letter could be a unit: t, m, g, s, h."""
    slope, rest = rng.randint(2, 12), _nonzero(rng, 30)
    x = rng.choice("tmgsh")
    gold = f"{rest}{_term(slope, x)}"
    same = [f"{slope}{x}{_term(rest, '')}"]
    return Answers(gold, same, [f"{rest}{_term(-slope, x)}", str(rest + slope), str(rest)])


# -- several values


def interval(rng: Random) -> Answers:
    low, high = _two(rng, -20, 20)
    left, right = rng.choice("[("), rng.choice("])")
    other = {"[": "(", "(": "[", "]": ")", ")": "]"}
    same = [rf"{left}{low}, {high}{right}", rf"{left}{2 * low}/2, {high}{right}"]
    different = [f"{other[left]}{low}, {high}{right}", f"{left}{low}, {high}{other[right]}"]
    different += [f"{left}{low}, {high + 1}{right}"]
    if rng.random() < 0.3:
        bounds = rf"(-\infty, {high}{right}"
        return Answers(bounds, [bounds], [rf"(-\infty, {high + 1}{right}", rf"({high}, \infty)"])
    return Answers(f"{left}{low},{high}{right}", same, different)


def union(rng: Random) -> Answers:
    low, high = _two(rng, -20, 20)
    gold = rf"(-\infty, {low}) \cup ({high}, \infty)"
    same = [rf"({high}, \infty) \cup (-\infty, {low})", rf"(-\infty,{low})\cup({high},\infty)"]
    different = [rf"(-\infty, {low}] \cup ({high}, \infty)", rf"({low}, {high})"]
    return Answers(gold, same, [*different, rf"(-\infty, {low}) \cup ({high + 1}, \infty)"])


def point(rng: Random) -> Answers:
    low, high = _two(rng, -20, 20)
    x, y = rng.choice(((low, high), (high, low)))
    same = [f"({x}, {y})", f"({x}.0, {y})"]
    return Answers(f"({x},{y})", same, [f"({y}, {x})", f"({x}, {y + 1})", f"({x - 1}, {y})"])


def triple(rng: Random) -> Answers:
    x, y, z = rng.sample(range(-9, 10), 3)
    half = _frac(Fraction(2 * z + 1, 2))
    same = [f"({x}, {y}, {z + 0.5})", f"({x},{y},{half})"]
    different = [f"({y}, {x}, {half})", f"({x}, {y})", f"({x}, {y}, {z})"]
    return Answers(f"({x}, {y}, {half})", same, different)


def polar_point(rng: Random) -> Answers:
    radius, under = rng.randint(2, 9), rng.choice((2, 3, 4, 6))
    angle, other = (_over(r"\pi", number) for number in (under, under + 1))
    same = [f"({radius}, {angle})", rf"({radius}, \pi/{under})"]
    different = [f"({radius + 1}, {angle})", f"({radius}, {other})"]
    return Answers(rf"\left( {radius}, {angle} \right)", same, different)


def value_list(rng: Random) -> Answers:
    values = sorted(rng.sample(range(-15, 16), rng.choice((2, 2, 3))))
    gold = ", ".join(map(str, values))
    same = [", ".join(map(str, reversed(values))), ",".join(map(str, values))]
    changed = [*values[:-1], values[-1] + 1]
    different = [", ".join(map(str, changed)), ", ".join(map(str, values[:-1]))]
    return Answers(gold, same, [*different, ", ".join(map(str, [*values, 99]))])


def finite_set(rng: Random) -> Answers:
    values = sorted(rng.sample(range(-15, 16), rng.choice((2, 3, 4))))
    braces = [rf"\{{{', '.join(map(str, one))}\}}" for one in (values, values[::-1], values[:-1])]
    changed = rf"\{{{', '.join(map(str, [*values[:-1], values[-1] + 1]))}\}}"
    return Answers(braces[0], braces[1:2], [braces[2], changed])


def plus_minus(rng: Random) -> Answers:
    first, root = _nonzero(rng, 9), _root(rng.choice((2, 3, 5, 7)))
    same = [f"{first} + {root}, {first} - {root}"]
    different = [f"{first} + {root}", rf"{first + 1} \pm {root}"]
    return Answers(rf"{first} \pm {root}", same, different)


def matrix(rng: Random) -> Answers:
    a, b, c, d = rng.sample(range(-9, 10), 4)
    rows = [rf"{a} & {b} \\ {c} & {d}", rf"{a} & {c} \\ {b} & {d}", rf"{a} & {b} \\ {c} & {d + 1}"]
    gold, *different = (rf"\begin{{pmatrix}} {row} \end{{pmatrix}}" for row in rows)
    same = [gold.replace("pmatrix", "bmatrix"), gold.replace(" & ", "&")]
    return Answers(gold, same, different)


def vector(rng: Random) -> Answers:
    x, y, z = rng.sample(range(-9, 10), 3)
    rows = [rf"{x} \\ {y} \\ {z}", rf"{y} \\ {x} \\ {z}", rf"{x} \\ {y} \\ {z + 1}"]
    gold, *different = (rf"\begin{{pmatrix}} {row} \end{{pmatrix}}" for row in rows)
    same = [gold.replace("pmatrix", "bmatrix"), gold.replace(r" \\ ", r"\\")]
    return Answers(gold, same, different)


# -- relations, words


def equation(rng: Random) -> Answers:
    slope, rest = _nonzero(rng, 9), _nonzero(rng, 9)
    right = f"{_leading(slope, 'x')}{_term(rest, '')}"
    same = [f"y = {rest}{_term(slope, 'x')}", right, f"y={right}"]
    different = [f"y = {_leading(-slope, 'x')}{_term(rest, '')}"]
    different += [f"y = {_leading(slope, 'x')}{_term(-rest, '')}"]
    return Answers(f"y = {right}", same, different)


def implicit_equation(rng: Random) -> Answers:
    a, b, c = rng.randint(2, 9), _nonzero(rng, 9), _nonzero(rng, 9)
    left = f"{_leading(a, 'x')}{_term(b, 'y')}"
    same = [f"{_leading(2 * a, 'x')}{_term(2 * b, 'y')}{_term(2 * c, '')} = 0", f"{left} = {-c}"]
    different = [f"{_leading(a, 'x')}{_term(-b, 'y')}{_term(c, '')} = 0", f"{left} = {c}"]
    return Answers(f"{left}{_term(c, '')} = 0", same, different)


def assignment(rng: Random) -> Answers:
    value = rng.choice((Fraction(_nonzero(rng, 60)), _fraction(rng)))
    name, other = rng.sample("xynkz", 2)
    written = f"{name} = {_frac(value)}"
    same = [_frac(value), written, f"{name}={value.numerator}/{value.denominator}"]
    different = [f"{name} = {_frac(value + 1)}", _frac(-value), f"{other} = {_frac(value + 2)}"]
    if rng.random() < 0.5:
        return Answers(_frac(value), same, different)
    return Answers(written, same, [*different, f"{other} = {_frac(value)}"])


def chain(rng: Random) -> Answers:
    """A calculation that ends in the gold, or contradicts itself."""
    first, second = rng.randint(2, 60), rng.randint(2, 60)
    total = first + second
    same = [f"{first} + {second} = {total}", f"x = {first} + {second} = {total}"]
    different = [f"{first} + {second} = {total + 1}", f"x = {first} + {second} = {total - 1}"]
    # These say the gold last, after something that it is not.
    different += [f"{total + 3} = {total}", f"x = {total + 5} = {total}"]
    return Answers(str(total), same, different)


def inequality(rng: Random) -> Answers:
    bound = _nonzero(rng, 20)
    sign, other, flipped = rng.choice(
        ((">", "<", "<"), ("<", ">", ">"), (r"\le", r"\ge", r"\ge"), (r"\geq", r"\leq", r"\leq"))
    )
    same = [f"{bound} {flipped} x", f"x {sign} {2 * bound}/2"]
    different = [f"x {other} {bound}", f"x {sign} {bound + 1}", f"y {sign} {bound + 2}"]
    return Answers(f"x {sign} {bound}", same, different)


def inequality_chain(rng: Random) -> Answers:
    low, high = _two(rng, -20, 20)
    same = [rf"{low} < x \leq {high}", f"({low}, {high}]"]
    different = [rf"{low} \le x \le {high}", f"{low} < x < {high}", f"[{low}, {high}]"]
    return Answers(rf"{low} < x \le {high}", same, different)


def either_value(rng: Random) -> Answers:
    low, high = _two(rng, -15, 15)
    gold = rf"x = {low} \text{{ or }} x = {high}"
    same = [rf"x = {low}, x = {high}", rf"x = {high} \text{{ or }} x = {low}", f"{low}, {high}"]
    different = [f"x = {low}", rf"x = {low} \text{{ or }} x = {high + 1}", f"{low}, {high - 1}"]
    return Answers(gold, same, different[: 3 if high - 1 != low else 2])


def membership(rng: Random) -> Answers:
    low, high = _two(rng, -15, 15)
    same = [rf"x \in ({low}, {high})", f"({low}, {high})", f"{low} < x < {high}"]
    different = [rf"x \in [{low}, {high}]", rf"x \in ({low}, {high + 1})", f"[{low}, {high})"]
    return Answers(rf"x \in ({low}, {high})", same, different)


def function_rule(rng: Random) -> Answers:
    a, b = _nonzero(rng, 9), _nonzero(rng, 9)
    right = f"{_leading(a, 'x^2')}{_term(b, 'x')}"
    same = [right, f"f(x) = {_leading(b, 'x')}{_term(a, 'x^2')}", f"f(x)={right}"]
    different = [f"f(x) = {_leading(a, 'x^2')}{_term(-b, 'x')}", f"f(x) = {_leading(b, 'x')}"]
    return Answers(f"f(x) = {right}", same, different)


def named_set(rng: Random) -> Answers:
    names = [r"\mathbb{R}", r"\emptyset", r"\infty", r"-\infty", r"\mathbb{Z}"]
    gold, wrong = rng.sample(names, 2)
    return Answers(gold, [gold], [wrong, "0"])


def solution_pair(rng: Random) -> Answers:
    x, y = _two(rng, -20, 20)
    gold = rng.choice((f"x = {x}, y = {y}", f"({x}, {y})", f"(x, y) = ({x}, {y})"))
    same = [f"({x}, {y})", f"(x, y) = ({x}, {y})", f"x = {x}, y = {y}"]
    different = [f"({x}, {y + 1})", f"(x, y) = ({x - 1}, {y})", f"x = {x}, y = {y + 1}"]
    return Answers(gold, same, different)


def inverse_function(rng: Random) -> Answers:
    rest, under = _nonzero(rng, 9), rng.randint(2, 9)
    right = _over(f"x{_term(rest, '')}", under)
    gold = f"f^{{-1}}(x) = {right}"
    different = [_over(f"x{_term(-rest, '')}", under), f"f^{{-1}}(x) = {under}x{_term(rest, '')}"]
    return Answers(gold, [right, f"f^{{-1}}(x)={right}"], different)


def bounds(rng: Random) -> Answers:
    """An interval, or the inequality that says the same."""
    low, high = _two(rng, -20, 20)
    written = [f"[{low}, {high}]", rf"{low} \le x \le {high}"]
    rng.shuffle(written)
    different = [f"({low}, {high})", f"{low} < x < {high}", rf"{low} \le x \le {high + 1}"]
    return Answers(written[0], written, different)


def whole_equation(rng: Random) -> Answers:
    """A number, or an equation that has it on one side."""
    radius = rng.randint(2, 12)
    circle = f"x^2 + y^2 = {radius * radius}"
    if rng.random() < 0.5:
        return Answers(str(radius * radius), [f"{radius}^2"], [circle, f"{circle} - x"])
    same = [f"y^2 + x^2 = {radius * radius}", f"x^2 + y^2 - {radius * radius} = 0"]
    return Answers(circle, same, [f"x^2 + y^2 = {radius}", f"x^2 - y^2 = {radius * radius}"])


def factorials(rng: Random) -> Answers:
    first, second = rng.randint(2, 4), rng.randint(2, 4)
    value = factorial(first + second) // (factorial(first) * factorial(second))
    written = _over(f"{first + second}!", rf"{first}! \cdot {second}!")
    tight = _over(f"{first + second}!", f"{first}!{second}!")
    different = [str(value + 1), _over(f"{first + second}!", f"{first}!")]
    return Answers(rng.choice((str(value), written)), [str(value), written, tight], different)


def clock(rng: Random) -> Answers:
    hour, minute = rng.randint(1, 11), rng.choice((10, 15, 20, 30, 45))
    gold = rf"{hour}:{minute}\text{{ p.m.}}"
    different = [rf"{hour + 1}:{minute}\text{{ p.m.}}", rf"{hour}:{minute + 1}\text{{ p.m.}}"]
    return Answers(gold, [gold, rf"{hour}:{minute} \text{{ p.m.}}"], different)


def words(rng: Random) -> Answers:
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "even", "odd", "neither")
    gold, wrong = rng.sample(days, 2)
    same = [rf"\text{{{gold.lower()}}}", rf"\text{{ {gold} }}", rf"\textbf{{{gold}}}"]
    return Answers(rf"\text{{{gold}}}", same, [rf"\text{{{wrong}}}", rf"\text{{not {gold}}}"])


def choice(rng: Random) -> Answers:
    gold, wrong = rng.sample("ABCDE", 2)
    same = [rf"\text{{{gold}}}", gold, rf"({gold})", rf"\text{{({gold})}}"]
    return Answers(rf"\text{{({gold})}}", same, [rf"\text{{({wrong})}}", wrong])


NUMBERS: dict[str, Kind] = {
    "integer": integer,
    "large integer": large_integer,
    "decimal": decimal,
    "fraction": fraction,
    "rounded": rounded,
    "tiny decimal": tiny_decimal,
    "mixed number": mixed_number,
    "scientific": scientific,
    "percent": percent,
    "money": money,
    "unit": with_unit,
    "degrees": degrees,
    "numeral": numeral,
    "repeating decimal": repeating_decimal,
    "ratio": ratio,
}
EXPRESSIONS: dict[str, Kind] = {
    "surd": surd,
    "surd sum": surd_sum,
    "multiple of pi": multiple_of_pi,
    "polynomial": polynomial,
    "linear": linear,
    "quotient": quotient,
    "power": power,
    "several variables": several_variables,
    "exponential": exponential,
    "logarithm": logarithm,
    "trigonometry": trigonometry,
    "counting": counting,
    "complex number": complex_number,
    "decimal surd": decimal_surd,
    "higher root": higher_root,
    "nested fraction": nested_fraction,
    "coefficient": coefficient,
    "cubic": cubic,
    "function value": function_value,
    "greek": greek,
    "subscript": subscript,
    "unit letter": unit_letter,
    "interval": interval,
    "union": union,
    "point": point,
    "triple": triple,
    "polar point": polar_point,
    "value list": value_list,
    "finite set": finite_set,
    "plus-minus": plus_minus,
    "matrix": matrix,
    "vector": vector,
    "equation": equation,
    "implicit equation": implicit_equation,
    "assignment": assignment,
    "chain": chain,
    "inequality": inequality,
    "inequality chain": inequality_chain,
    "either value": either_value,
    "membership": membership,
    "function rule": function_rule,
    "named set": named_set,
    "solution pair": solution_pair,
    "inverse function": inverse_function,
    "bounds": bounds,
    "whole equation": whole_equation,
    "factorials": factorials,
    "clock": clock,
    "words": words,
    "choice": choice,
}
KINDS = NUMBERS | EXPRESSIONS
