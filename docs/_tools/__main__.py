"""Commands of the guide's maintainers. Run from the root: python -m docs._tools COMMAND."""

import argparse
import subprocess
import sys
from pathlib import Path

from docs._tools import checks, freshness, notebooks, site

ROOT = notebooks.ROOT
DOCS = notebooks.DOCS


def check() -> int:
    """Hold both languages to each other, to the glossary and to the code's names."""
    problems = checks.run_all(DOCS)
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problem(s) in the pages" if problems else "pages agree")
    return 1 if problems else 0


def regenerate(pages: list[Path]) -> int:
    """Run pages and store their outputs; read the diff before you commit it."""
    for page in [page for page in pages if not notebooks.is_notebook(DOCS / "en" / page)]:
        pages.remove(page)
        print(f"docs/en/{page} has no cells: nothing to run")
        if not pages:
            return 0
    try:
        notebooks.regenerate(pages or notebooks.notebook_pages())
    except (notebooks.StaleReferenceError, notebooks.CellFailedError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def verify() -> int:
    """Run under nbval the pages that are not verified as they stand."""
    missing = notebooks.Verified().missing()
    if not missing:
        print("every page is verified as it stands")
        return 0
    files = [f"docs/{name}" for name in missing]
    side_by_side = ["-n", "2", "--dist", "loadfile"]
    return subprocess.call([sys.executable, "-m", "pytest", "-q", *side_by_side, *files], cwd=ROOT)


def reviewed(pages: list[Path]) -> int:
    """Say that the Chinese pages were looked at after a change of the English ones."""
    for page in pages:
        try:
            freshness.record(DOCS, page)
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
        print(f"docs/zh/{page} is up to date with docs/en/{page}")
    return 0


def build() -> int:
    """Build both languages from the verified outputs into site/."""
    try:
        site.build(ROOT)
    except (notebooks.UnverifiedError, site.BuildError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def serve(port: int) -> int:
    """Serve site/ on loopback."""
    site.serve(ROOT / "site", port)
    return 0


def page_path(text: str) -> Path:
    """A page named as start.md, docs/en/start.md or docs/zh/start.md."""
    path = Path(text)
    if path.parts[:1] == ("docs",):
        path = Path(*path.parts[2:])
    if not (DOCS / "en" / path).is_file():
        raise argparse.ArgumentTypeError(f"there is no page docs/en/{path}")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs._tools", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (check, verify, build):
        commands.add_parser(command.__name__, help=command.__doc__)
    for command, count in ((regenerate, "*"), (reviewed, "+")):
        with_pages = commands.add_parser(command.__name__, help=command.__doc__)
        with_pages.add_argument("pages", nargs=count, type=page_path, metavar="PAGE")
    with_port = commands.add_parser("serve", help=serve.__doc__)
    with_port.add_argument("--port", type=int, default=8000)
    arguments = vars(parser.parse_args())
    return globals()[arguments.pop("command")](**arguments)


if __name__ == "__main__":
    raise SystemExit(main())
