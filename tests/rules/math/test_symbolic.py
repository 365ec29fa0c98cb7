"""The symbolic step: which pairs of bare answers are the same, and which texts do not read."""

import builtins
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.rules.math import symbolic
from reference_impl.rules.math.symbolic import equal, read

CALCULUS = "sums, integrals and limits"  # the kind that goes through latex2sympy

SAME = {
    "fractions and decimals": [
        (r"\frac{1}{2}", "1/2"),
        (r"\frac{1}{2}", "0.5"),
        (r"\frac12", ".5"),
        (r"\dfrac{3}{4}", r"\tfrac{6}{8}"),
        (r"-\frac{1}{2}", r"\frac{-1}{2}"),
        (r"\frac{1}{3}", "0.333333"),
        (r"\sqrt{2}", "1.414214"),
        ("5.", "5"),
        (r"\frac{\frac12}{3}", r"\frac16"),
    ],
    "expressions": [
        ("6t - 5", "-5+6t"),
        (r"\frac{\sqrt{3}}{2}", "sqrt(3)/2"),
        ("2x+1", "2*x+1"),
        ("x^2", "x**2"),
        ("x^2", "x²"),
        (r"3\sqrt{2}", r"\sqrt{18}"),
        (r"2\pi", "2π"),
        (r"2\pi", "2pi"),
        ("e^{2x}", "(e^x)^2"),
        ("(x+1)^2", "x^2+2x+1"),
        ("(x-1)(x+1)", "x^2-1"),
        (r"\frac{x^2-1}{x-1}", "x+1"),
        (r"\sin^2\theta+\cos^2\theta", "1"),
        (r"\binom{5}{2}", "10"),
        ("5!", "120"),
        (r"\log_2 8", "3"),
        (r"\log_{10} 100", r"\log 100"),
        (r"\ln 8", r"3\ln 2"),
        (r"\sin 30^\circ", r"\frac12"),
        (r"\sqrt[3]{-8}", "-2"),
        (r"\left|-3\right|", "3"),
        (r"\lfloor 3.7 \rfloor", "3"),
        ("2(3)", "6"),
        ("x(x+1)", "x^2+x"),
        (r"\frac{1}{1+\sqrt 2}", r"\sqrt{2}-1"),
        (r"\sqrt{5+2\sqrt{6}}", r"\sqrt2+\sqrt3"),
        (r"R^2-r^2", "(R-r)(R+r)"),
        (r"\pi R^2", r"\pi r^2"),
        (r"a_1+a_{2}", "a_2+a_1"),
        (r"\mathbf{i}+2\mathbf{j}", r"2\mathbf{j}+\mathbf{i}"),
        (r"\gcd(12, 18)", "6"),
        ("10^{20}", "100000000000000000000"),
        (r"\infty", "infinity"),
        ("3:4", "6:8"),
    ],
    "complex numbers": [
        ("i^2", "-1"),
        ("3+4i", "4i+3"),
        ("(1+i)^2", "2i"),
        (r"\frac{1}{i}", "-i"),
        ("|3+4i|", "5"),
        (r"e^{i\pi}", "-1"),
    ],
    CALCULUS: [
        (r"\int_0^1 x^2 dx", r"\frac13"),
        (r"\sum_{k=1}^{10} k", "55"),
        (r"\sum_{i=1}^{n} i", r"\frac{n(n+1)}{2}"),
        (r"\lim_{x \to 0} \frac{\sin x}{x}", "1"),
    ],
    "equations": [
        ("3", "x = 3"),
        ("x = 3", "3"),
        ("x = 3", "3 = x"),
        ("x = 3", "x = 6/2 = 3"),
        ("3", "x = 6/2 = 3"),
        ("f(x) = 2x+1", "2x + 1"),
        ("2x+1", "f(x) = 1 + 2x"),
        ("y = 2x+1", "2x - y + 1 = 0"),
        ("x^2+y^2=4", "2x^2+2y^2-8=0"),
        ("4", "2+2 = 4"),
        ("5", "a + b = 5"),
        ("12", r"\text{Area} = 12"),
        ("12", r"AB = 12"),
        (r"x \approx 3.14", "3.14"),
        (r"\pi", r"\pi \approx 3.14"),
        ("x = 1/2 or x = 3", r"x = \frac12, 3"),
        ("(x, y) = (1, 2)", "(1, 2)"),
        ("(1, 2)", "x = 1, y = 2"),
        ("(1, 2)", "y = 2, x = 1"),
        ("2", "f(3) = 2"),
        ("y = x + y^2", "2y^2 + 2x = 2y"),
    ],
    "several answers": [
        ("1, 2", "2, 1"),
        ("1, 2", "1 or 2"),
        ("1, 2", r"1 \text{ and } 2"),
        (r"1 \text{ or } 2", r"2\text{, or }1"),
        ("x = 1 or x = 2", "x=2, x=1"),
        ("1, 2", "x = 1 or x = 2"),
        (r"\pm 2", "2, -2"),
        (r"x = \pm 2", r"x = -2 \text{ or } x = 2"),
        (r"1 \pm \sqrt{2}", r"1+\sqrt2, 1-\sqrt2"),
        (r"\frac{-1 \pm \sqrt{5}}{2}", r"\frac{\sqrt5-1}{2}, \frac{-\sqrt5-1}{2}"),
        ("3, \\pm 1", "-1, 1, 3"),
        ("1, 2 or 3", "1, 2, 3"),
        ("1, 2, and 3", "3, 2, 1"),
        (r"\{1, 2\}", r"\{2, 1\}"),
        (r"\{1, 2, 2\}", r"\{2, 1\}"),
        (r"\{1, 2\}", "2, 1"),
        (r"x \in \{1, 2\}", "1, 2"),
        (r"\{5\}", "5"),
        ("(1,2), (3,4)", "(3,4), (1,2)"),
        ("1, 1/3", r"0.333333, 1"),
    ],
    "tuples, vectors and matrices": [
        ("(1, 2)", "(1,2)"),
        (r"\left( \frac12, 3 \right)", "(0.5, 3)"),
        (r"(3, \frac{\pi}{2})", r"(3,\pi/2)"),
        ("(1, 2)", "1, 2"),
        (r"\langle 1, 2, 3\rangle", "(1,2,3)"),
        ("[1,2,3]", "(1,2,3)"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"\begin{bmatrix}1&2\\3&4\end{bmatrix}"),
        (r"\begin{pmatrix} 1/3 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 0.333333 \\ 2 \end{pmatrix}"),
        (r"2\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 2 \\ 4 \end{pmatrix}"),
        (r"\begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}", "-2"),
    ],
    "intervals, inequalities and sets": [
        ("(1, 2)", "( 1,2 )"),
        ("[1, 2)", r"\left[1, \frac{4}{2}\right)"),
        ("(-\\infty, 2) \\cup (3, \\infty)", r"(3,\infty)\cup(-\infty,2)"),
        ("x > 3", r"(3,\infty)"),
        (r"(3,\infty)", "x > 3"),
        ("x > 3", "3 < x"),
        ("2x > 6", "x > 3"),
        ("-x < -3", r"(3, \infty)"),
        (r"2 < x \le 5", "(2,5]"),
        (r"2 < x \le 5", r"5 \ge x > 2"),
        (r"x \le 5", "x <= 5"),
        (r"x \ne 2", r"(-\infty,2)\cup(2,\infty)"),
        (r"x \neq 2", r"\mathbb{R} \setminus \{2\}"),
        ("x < 2 or x > 3", r"(-\infty,2)\cup(3,\infty)"),
        (r"x > 2 \text{ and } x < 3", "(2,3)"),
        (r"x \in (2,5]", "(2,5]"),
        (r"\{x | x > 3\}", r"(3,\infty)"),
        (r"\mathbb{R}", r"(-\infty, \infty)"),
        (r"\emptyset", r"\{\}"),
        (r"[0, \sqrt{8}]", r"[0, 2\sqrt{2}]"),
        (r"y > x^2", "x^2 < y"),
    ],
    "numbers in other forms": [
        ("1011_2", "1011_{2}"),
        ("1011_2", "11_{10}"),
        ("1011_2", "1011"),
        (r"1\frac{1}{2}", r"\frac32"),
        ("1 1/2", "1.5"),
        (r"-1\frac{1}{2}", "-1.5"),
        (r"0.\overline{3}", r"\frac13"),
        (r"0.1\overline{6}", r"\frac16"),
        (r"0.\overline{142857}", "1/7"),
        ("1{,}234", "1234"),
        ("10,000", "10000"),
        (r"10\,000", "10,000"),
        ("1,234,567.5", "1234567.5"),
        ("1.5e3", "1500"),
        ("2E-3", "0.002"),
        (r"1.5 \times 10^{3}", "1500"),
    ],
    "words and choices": [
        (r"\text{Monday}", "Monday"),
        ("monday", "Monday"),
        (r"\text{(B)}", "B"),
        ("(B)", "b"),
        (r"\textbf{(C)}", "(C)"),
        ("yes", r"\text{Yes}"),
        ("no", "No"),
        ("A, C", "C, A"),
        (r"\text{A, C}", "A, C"),
    ],
    "units": [
        (r"90^\circ", "90"),
        (r"90^{\circ}", "90 degrees"),
        ("90°", r"90^\circ"),
        (r"\$5", "5"),
        ("5 dollars", r"\$5"),
        (r"5\text{ cm}", "5"),
        (r"5 \text{ cm}", "5 cm"),
        (r"5\text{ cm}^2", r"5 \text{ square centimeters}"),
        (r"6\sqrt{2}\text{ inches}", r"6\sqrt2"),
        (r"60 \text{ miles per hour}", "60"),
        (r"3\,\mathrm{m}", "3"),
        (r"20^\circ \text{C}", "20"),
    ],
    "percentages": [
        (r"10\%", "0.1"),
        (r"10\%", r"\frac{1}{10}"),
        ("10%", "10 percent"),
        (r"33.3333\%", r"\frac13"),
    ],
}

DIFFERENT = {
    "numbers": [
        ("2", "3"),
        (r"\frac{1}{2}", r"\frac{1}{3}"),
        (r"\frac13", "0.333"),
        ("0", "1e-7"),
        ("0", "0.0000001"),
        ("0.0000002", "0.0000003"),
        ("0", r"e^{-200}"),
        (r"\pi", "3.14"),
        ("10^{50}", "10^{50}+1"),
        (r"e^{\pi\sqrt{163}}", "262537412640768744"),
        (r"\sqrt{2}", r"-\sqrt{2}"),
        ("2(3)", "5"),
        ("5", "-5"),
    ],
    "expressions": [
        ("6t-5", "5"),
        ("6t-5", "6t+5"),
        ("6t-5", "6s-5"),
        ("x", "x+10^{-25}"),
        (r"\sqrt{x^2}", "x"),
        (r"\sqrt{(x-1000)^2}", "1000-x"),
        ("x^2", "x^3"),
        (r"\pi(R^2 - r^2)", "0"),
        ("f(x)", "fx"),
        (r"\frac{1}{x}", "x"),
        ("i", "1"),
        (r"\infty", r"-\infty"),
        (r"\sin x", r"\cos x"),
        ("x_1", "x_2"),
        (r"\lfloor x \rfloor", "x"),
    ],
    "equations": [
        ("x = 3", "y = 3"),
        ("x = 3", "4"),
        ("4", "x^2 = 4"),
        ("6", "2x = 6"),
        ("5", "-x = 5"),
        ("5", r"\sqrt{x} = 5"),
        ("y = 2x+1", "y = 2x+2"),
        ("4", "4 = 5"),
        ("5", "4 = 5"),
        ("4 = 5", "4 = 5"),
        ("5", "2+2 = 4 = 5"),
        ("4", "x = 4 = 5"),
        ("5", "x = 4 = 5"),
        ("4", "5 = x = 4"),
        ("x+1", "x = x+1"),
        ("x = x + 1", "y = y + 2"),
        ("5", r"\text{not } 5 = 5"),
        ("5", r"not x = 5"),
        (r"\pi", r"4 \approx 5"),
        ("(1,2)", "x = 2, y = 1"),
        ("y = x, z = 1", "y = x, z = 2"),
        ("x = 3", "f(x) = 3"),
    ],
    "several answers": [
        ("4", "4 or 5"),
        ("4 or 5", "4"),
        ("4", "3, 4, 5"),
        ("1, 1", "1"),
        ("1, 1, 2", "1, 2, 2"),
        ("x = 1", "x = 1 or x = 2"),
        ("2", r"\pm 2"),
        (r"\pm 2", "2"),
        (r"\{1,2\}", r"\{1,2,3\}"),
        (r"\{1,2\}", r"(1,2)"),
        ("2", r"\{1, 2\}"),
        ("1, 2", "x = 1 or y = 2"),
    ],
    "tuples, vectors and matrices": [
        ("(1,2)", "(2,1)"),
        ("(1,2)", "2, 1"),
        ("(1,2,3)", "(1,2)"),
        ("(1,2)", "1"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&5\end{pmatrix}"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1&2\end{pmatrix}"),
    ],
    "intervals and inequalities": [
        ("(1,2)", "[1,2]"),
        ("(1,2]", "(1,2)"),
        ("[1,2)", "(1,2]"),
        ("x > 3", r"[3,\infty)"),
        ("x > 3", "x < 3"),
        ("x > 3", "y > 3"),
        ("x > 3", r"x \ge 3"),
        (r"2 < x < 5", "(2,5]"),
        (r"(-\infty,2)\cup(3,\infty)", r"(-\infty,2)\cup(4,\infty)"),
        (r"(-\infty,2)\cup(3,\infty)", r"(-\infty,2)"),
        ("x > 2, x < 3", r"\mathbb{R}"),
        (r"\emptyset", "(5,2)"),
        ("3", "x > 3"),
        ("x = 3", "x > 3"),
    ],
    "numbers in other forms": [
        ("1011_2", "1011_3"),
        ("11", "1011_2"),
        ("1234", "(1,234)"),
        ("1234", "1, 234"),
        (r"1\frac{1}{2}", r"\frac12"),
        (r"0.\overline{3}", "0.3"),
        ("1,234", "1234.5"),
    ],
    "words and choices": [
        ("Monday", "Tuesday"),
        (r"\text{east}", r"\text{seat}"),
        ("B", "C"),
        ("yes", "no"),
        ("no", "on"),
        ("A", "A, B"),
    ],
    "units and percentages": [
        ("5 cm", "5 km"),
        (r"\$5", "5 euros"),
        (r"5\text{ cm}", r"5\text{ cm}^2"),
        ("10", r"10\%"),
        (r"10\%", "10"),
        (r"90^\circ", r"90\%"),
    ],
}

UNREADABLE = [
    *["", " ", "+", "4 apples are 5", "the answer is 5", "5 is wrong", "2 3", "x^2^3", "1/0"],
    *[r"5\frac{3}{2}", "(1, 2", "1)", "4 = 5", "x = ", r"\frac{1}", r"\sqrt", "1,,2", "((", "{}"],
    *["x +", "3 4/5/6", r"\begin{pmatrix}1&2\\3\end{pmatrix}", r"\unknown{3}", r"\infty-\infty"],
    *["2e-3", "~5", "x = ~5", "1E99999", "5?", r"1, 2, \ldots", "1, 2, ..."],
    *["5!!!", "1..2", r"0^{-1}", "5 or", "|x", r"\pm 1 \pm 2", r"3 \pmod 5", "不是5", "12_2", "?"],
]


def _pairs(table):
    return [
        pytest.param(gold, prediction, id=f"{kind}: {gold} | {prediction}")
        for kind, pairs in table.items()
        for gold, prediction in pairs
    ]


@pytest.mark.parametrize(("gold", "prediction"), _pairs(SAME))
def test_same(gold, prediction):
    assert equal(gold=gold, prediction=prediction)
    assert equal(gold=prediction, prediction=gold)


@pytest.mark.parametrize(("gold", "prediction"), _pairs(DIFFERENT))
def test_different(gold, prediction):
    assert not equal(gold=gold, prediction=prediction)
    assert not equal(gold=prediction, prediction=gold)


@pytest.mark.parametrize("text", sorted({t for table in SAME.values() for p in table for t in p}))
def test_an_answer_equals_itself(text):
    assert equal(gold=text, prediction=text)


@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable(text):
    assert read(text) is None
    assert not equal(gold=text, prediction=text)


@pytest.mark.parametrize("gold", ["10", r"10\%", "0.1"])
def test_the_percent_sign_can_be_ignored(gold):
    assert equal(gold=gold, prediction=r"10\%", ignore_percent=True)
    assert not equal(gold=gold, prediction=r"11\%", ignore_percent=True)


PYTHON = [
    "__import__('os').system('touch hacked')",
    "lambda: 0",
    "().__class__.__bases__",
    "x.__class__",
    "open('hacked', 'w')",
    "exec('1')",
    "[x for x in (1,2)]",
    r"\text{__import__('os').system('touch hacked')}",
    r"\operatorname{__import__}(2)",
    r"x_{__import__('os').system('touch hacked')}",
    r"\sum_{k=1}^{2} __import__('os')",
    r"\int_0^1 eval(x) dx",
    r"\mathrm{eval}(2)",
    r"\vec{__import__('os').getpid()}",
]


@pytest.mark.parametrize(
    "text", [*PYTHON, *(text for pair in SAME["expressions"] for text in pair)]
)
def test_no_part_of_a_text_is_run_as_python(text, monkeypatch):
    def run(source, *_):
        if isinstance(source, str):
            raise AssertionError(f"{source!r} was run")
        return plain(source, *_)

    plain = builtins.eval
    symbolic.read.cache_clear()
    monkeypatch.setattr(builtins, "eval", run)
    monkeypatch.setattr(sys.modules["sympy.parsing.sympy_parser"], "eval_expr", run)
    assert not equal(gold="1729", prediction=text)


@given(st.text(alphabet="0123456789xyei+-*/^_=<>(){}[]|,.!%$ \\'\n\x00", max_size=30))
def test_no_text_raises(text):
    parsed = read(text)
    assert equal(gold=text, prediction=text) in (True, False)
    assert parsed is None or equal(gold=text, prediction=f" {text} ") in (True, False)


@given(st.integers(-50, 50), st.integers(1, 50), st.integers(-50, 50), st.integers(1, 50))
def test_fractions_are_exact(a, b, c, d):
    same = a * d == b * c
    assert equal(gold=rf"\frac{{{a}}}{{{b}}}", prediction=f"{c}/{d}") is same


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_a_list_is_free_and_that_of_a_tuple_is_not(items, random):
    shuffled = random.sample(items, len(items))
    gold, prediction = (", ".join(map(str, one)) for one in (items, shuffled))
    assert equal(gold=gold, prediction=prediction)
    assert equal(gold=f"({gold})", prediction=f"({prediction})") is (items == shuffled)


COEFFICIENTS = st.lists(st.integers(-9, 9), min_size=1, max_size=4)


@given(COEFFICIENTS, COEFFICIENTS)
def test_polynomials_are_the_same_when_their_coefficients_are(first, second):
    texts = ["+".join(f"({c})x^{{{i}}}" for i, c in enumerate(one)) for one in (first, second)]
    longest = max(len(first), len(second))
    padded = [one + [0] * (longest - len(one)) for one in (first, second)]
    assert equal(gold=texts[0], prediction=texts[1]) is (padded[0] == padded[1])


@pytest.mark.slow
def test_deep_nesting_does_not_read_and_does_not_crash():
    for opened, closed in ("()", "{}", (r"\sqrt{", "}"), (r"\frac{1}{1+", "}")):
        assert read(opened * 20_000 + "1" + closed * 20_000) is None
        assert read(opened * 20_000) is None


def test_memory_that_runs_out_is_not_a_wrong_answer(monkeypatch):
    def no_memory(text):
        raise MemoryError

    symbolic.read.cache_clear()
    monkeypatch.setattr(symbolic, "read_answer", no_memory)
    with pytest.raises(MemoryError):
        equal(gold="1", prediction="2")
