"""Turn the MyST of a page into the plain Markdown that Jupyter renders.

Jupyter knows neither roles nor directives nor labels and would show them raw.
"""

import re
from collections.abc import Callable

# A link as (text, address), or None for a target that has no page.
Link = tuple[str, str] | None
Resolve = Callable[[str, str], Link]

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}|:{3,})(?P<info>.*)$")
DIRECTIVE = re.compile(r"\{(?P<name>[\w:.+-]+)\}\s*(?P<argument>.*)")
OPTION = re.compile(r":(?P<key>[\w-]+):\s*(?P<value>.*)")
LABEL_OR_COMMENT = re.compile(r"^\([\w-]+\)=\s*$|^%")
INLINE = re.compile(
    r"\{(?P<role>[\w:.+-]+)\}(?P<ticks>`+)(?P<content>.+?)(?P=ticks)"
    r"|(?P<code>(?P<fence>`+)(?!`).+?(?<!`)(?P=fence)(?!`))"
    r"|(?<!!)\[(?P<text>[^\[\]]*)\]\((?P<href>[^()\s]+)\)"
    r"|(?P<attributes>(?<=[)`\]])\{[.#\w][^{}`]*\})",
    re.DOTALL,
)
TITLED = re.compile(r"(?P<title>.+?)\s*<(?P<target>[^<>]+)>", re.DOTALL)

ADMONITIONS = {"note", "tip", "important", "warning", "caution", "danger", "seealso", "admonition"}
CODE = {"code", "code-block", "sourcecode"}
# What only Sphinx can draw: the reader is sent to the page.
ONLY_ON_SITE = {"eval-rst", "glossary-table", "toctree", "tableofcontents", "raw"}


def plain_markdown(text: str, resolve: Resolve) -> str:
    """Plain Markdown of a MyST text.

    Args:
        text: The source of a Markdown cell.
        resolve: Gives the link of a role and its target. The role is `link` for a Markdown link
            and `page` for content that only the site can show.
    """
    lines, plain, prose = text.splitlines(), [], []

    def end_prose() -> None:
        if prose:
            plain.extend(_inline("\n".join(prose), resolve).split("\n"))
            prose.clear()

    at = 0
    while at < len(lines):
        if fence := FENCE.match(lines[at]):
            end_prose()
            end = _closing(lines, at, fence["fence"])
            plain += _block(fence, lines[at : end + 1], resolve)
            at = end
        elif not LABEL_OR_COMMENT.match(lines[at]):
            prose.append(lines[at])
        at += 1
    end_prose()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(plain)).strip("\n")


def _closing(lines: list[str], start: int, fence: str) -> int:
    closing = re.compile(rf"^ *{re.escape(fence[0])}{{{len(fence)},}}\s*$")
    return next((i for i in range(start + 1, len(lines)) if closing.match(lines[i])), len(lines))


def _block(fence: re.Match, lines: list[str], resolve: Resolve) -> list[str]:
    directive = DIRECTIVE.match(fence["info"].strip())
    if not directive:
        return lines  # an ordinary block of code
    name, argument = directive["name"], directive["argument"].strip()
    options, body = _options(lines[1:-1])
    if name in CODE:
        return [f"{fence['indent']}```{argument}", *body, f"{fence['indent']}```"]
    if name == "math":
        return ["$$", *body, "$$"]
    if name in {"figure", "image"}:
        return [f"![{options.get('alt', '')}]({argument})", "", *body]
    if name in ONLY_ON_SITE:
        link = resolve("page", "")
        return [f"[{link[0]}]({link[1]})"] if link else []
    inner = plain_markdown("\n".join(body), resolve).split("\n")
    title = _inline(argument, resolve)
    if name in ADMONITIONS:
        title = title or name.capitalize()
        return [f"> **{title}**", ">", *(f"> {line}".rstrip() for line in inner), ""]
    if "link" in options and (link := resolve(options.get("link-type", "ref"), options["link"])):
        title = f"[{title or link[0]}]({link[1]})"
    # A grid's argument counts its columns; it is not a title.
    heading = [f"**{title}**", ""] if title and name != "grid" else []
    return ["", *heading, *inner, ""]


def _options(body: list[str]) -> tuple[dict[str, str], list[str]]:
    options, at = {}, 0
    while at < len(body) and (option := OPTION.match(body[at].strip())):
        options[option["key"]] = option["value"]
        at += 1
    return options, body[at:]


def _inline(text: str, resolve: Resolve) -> str:
    def replace(match: re.Match) -> str:
        if match["code"]:
            return match["code"]
        if match["attributes"]:
            return ""
        if match["role"]:
            return _role(match["role"], match["content"], resolve)
        link = resolve("link", match["href"])
        return f"[{match['text'] or link[0]}]({link[1]})" if link else match["text"]

    return INLINE.sub(replace, text)


def _role(role: str, content: str, resolve: Resolve) -> str:
    if role == "math":
        return f"${content}$"
    titled = TITLED.fullmatch(content)
    title, target = (titled["title"], titled["target"]) if titled else (None, content)
    link = resolve(role, target)
    if link:
        return f"[{title or link[0]}]({link[1]})" if link[1] else link[0]
    return title or f"`{target.lstrip('~!')}`"
