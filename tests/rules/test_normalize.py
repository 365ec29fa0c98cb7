"""One written form for all the ways to typeset the same answer."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reference_impl.rules.normalize import MAX_MARKUP_CHARACTERS, normalize_answer

# Text that is dense in what the rules act on.
MARKUP = st.lists(
    st.sampled_from(
        [
            *"$\\{}()[]!,;:> ^.。*`\"'“”4aAß°%４－",
            *[
                "\\text{",
                "\\boxed{",
                "\\te",
                "xt{",
                "\\circ",
                "\\dfrac",
                "\\left",
                "\\$",
                "{,}",
                "**",
            ],
            *["\u200b", "\x00", "\u3000", "\ud800"],
        ]
    ),
    max_size=40,
).map("".join)


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("４２．５％", "42.5%"),
        ("－４", "-4"),
        ("−4", "-4"),
        ("–4", "-4"),
        ("a\u3000b\u00a0c\t\nd", "a b c d"),
        ("4\u200b2\ufeff\x00", "42"),
        ("\u202e42\u202c", "42"),
        ("$4$", "4"),
        ("$$4$$", "4"),
        (r"\(4\)", "4"),
        (r"\[ 4 \]", "4"),
        (r"$\$5$", "$5"),
        (r"\$5", "$5"),
        ("$5", "$5"),
        ("$4$ km", "4 km"),
        (r"10\%", "10%"),
        (r"1{,}234", "1,234"),
        (r"10,\!000", "10,000"),
        (r"5\text{ km}", "5 km"),
        (r"5\text{km}", "5 km"),
        (r"5\,\mathrm{km}", "5 km"),
        (r"5~\text{km}", "5 km"),
        (r"5\mathrm{~km}", "5 km"),
        (r"5\quad\text{km}", "5 km"),
        (r"a\qquad b", "a b"),
        ("~5", "~5"),
        ("4~5", "4~5"),
        ("~p", "~p"),
        (r"\text{(A)}", "(a)"),
        (r"\boxed{\boxed{4}}", "4"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"90^\circ", "90°"),
        (r"90^{\circ}", "90°"),
        (r"25^\circ\text{C}", "25°c"),
        (r"\dfrac{1}{2}", r"\frac{1}{2}"),
        (r"\tfrac{1}{2}", r"\frac{1}{2}"),
        (r"\left(1,2\right)", "(1,2)"),
        (r"\leftarrow", r"\leftarrow"),
        ("**4**", "4"),
        ("** 4", "4"),
        ("**4** apples", "4 apples"),
        ("2**3**2", "2 3 2"),
        ("2**3", "2**3"),
        ("**4**.", "4"),
        ("**4.**", "4"),
        ("*4*", "4"),
        ("`4`", "4"),
        ('"Paris"', "paris"),
        ("“Paris”", "paris"),
        ("f'", "f'"),
        ("4.", "4"),
        ("4。", "4"),
        ("0.333...", "0.333..."),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        # What it means is not touched. NFKC would make 102, x2, 1/2 and 1 of these.
        ("10²", "10²"),
        ("x²", "x²"),
        ("½", "½"),
        ("①", "①"),
        ("1/2", "1/2"),
        ("4.0", "4.0"),
        # A pair of currencies must not merge into one number.
        ("$1,$234", "1, 234"),
        ("", ""),
        ("\u200b\x00 ", ""),
    ],
)
def test_table(text, normalized):
    assert normalize_answer(text) == normalized


@given(st.text() | MARKUP)
@example("\\te\\text{xt{a}}")
@example("$" * 5 + "\\$" * 3)
def test_idempotent_and_never_raises(text):
    once = normalize_answer(text)
    assert normalize_answer(once) == once


@given(st.text() | MARKUP)
def test_case_and_white_space_do_not_count(text):
    assert normalize_answer(f"  {text}\n") == normalize_answer(text)
    once = normalize_answer(text)
    assert once == once.casefold()
    assert once == " ".join(once.split())


@pytest.mark.parametrize("unit", ["$", "*", "`", "{", "\\text{", "\\", ".", "\\$", "**a", "{,}"])
@pytest.mark.parametrize("repeats", [MAX_MARKUP_CHARACTERS // 8, 100_000])
def test_idempotent_on_both_sides_of_the_limit(unit, repeats):
    once = normalize_answer(unit * repeats)
    assert normalize_answer(once) == once
