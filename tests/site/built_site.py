"""Where the built site is, and which pages it has."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "site"
LANGUAGES = ("en", "zh")


def built_pages(language: str) -> list[str]:
    """Every page of a language, such as `en/rules/exact-and-numeric.html`."""
    return sorted(
        path.relative_to(SITE).as_posix()
        for path in (SITE / language).rglob("*.html")
        if "_static" not in path.parts
    )
