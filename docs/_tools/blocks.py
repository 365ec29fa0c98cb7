"""Parse the text of a MyST page into a tree of blocks, with the parser that builds the site.

The checks compare, hash and lint these blocks. A block that holds words has an `Inline`: the words
on one side; code, formulas, links and references, which are the same in every language, on the
other. Directives whose body is Markdown (notes, cards, tabs ...) have their body parsed too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache

import yaml
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.tree import SyntaxTreeNode
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

EXTENSIONS = {"amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath", "tasklist"}

# Stands in the text for what is not words: inline code, a formula, a picture, a reference.
OBJECT = "\ufffc"

# Directives whose body is not Markdown. Everything else is parsed as Markdown.
VERBATIM = {"eval-rst", "include", "literalinclude", "mermaid", "raw", "tableofcontents", "toctree"}
CODE = {"code", "code-block", "sourcecode"}

ADMONITIONS = {
    "admonition", "attention", "caution", "danger", "error", "hint", "important", "note",
    "seealso", "tip", "warning",
}  # fmt: skip
# Directives whose argument is words to translate. Any other argument is a name, a path or a number.
TITLED = ADMONITIONS | {
    "card", "dropdown", "grid-item-card", "list-table", "margin", "sidebar", "tab-item", "table",
    "topic",
}  # fmt: skip
# Options that are words to translate.
WORDED_OPTIONS = ("alt", "caption")


@dataclass(frozen=True)
class Inline:
    """A run of prose: its words, and apart from them what is no word.

    Attributes:
        text: The words, with `OBJECT` in place of what is no word and "\\n" for a line break.
        code: Inline code.
        math: Inline formulas.
        links: Targets of links.
        images: Sources of pictures.
        roles: Pairs of role and target, such as ("ref", "start").
        footnotes: Labels of footnotes referred to.
    """

    text: str
    code: tuple[str, ...] = ()
    math: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    roles: tuple[tuple[str, str], ...] = ()
    footnotes: tuple[str, ...] = ()


@dataclass
class Block:
    """One block of a page.

    Attributes:
        kind: heading, paragraph, title, caption, alt, list, item, table, row, quote, code-cell,
            fence, math, directive, footnote, html, comment, break or target.
        line: Line in the file, counted from 1.
        source: The text as written: of prose the Markdown, of code and formulas their body.
        name: Of a directive its name, of a list "bullet", "ordered" or "definition", of a fence
            its language, of a footnote or a target its label.
        argument: What stands after the name of a directive.
        options: Options of a directive.
        level: Level of a heading, number of columns of a table row.
        labels: The labels, `(label)=`, directly before the block.
        inline: The prose, if the block holds words of its own.
        children: The blocks inside.
    """

    kind: str
    line: int
    source: str = ""
    name: str = ""
    argument: str = ""
    options: dict[str, object] = field(default_factory=dict)
    level: int = 0
    labels: tuple[str, ...] = ()
    inline: Inline | None = None
    children: list["Block"] = field(default_factory=list)

    @property
    def begins(self) -> str:
        """The first words of the block, to name it in a message."""
        if not self.source and self.children:
            return self.children[0].begins
        words = " ".join((self.source or self.argument or self.name).split())
        return words if len(words) <= 50 else words[:49].rstrip() + "…"

    def line_of(self, at: int) -> int:
        """The line of the file in which a position of the inline text stands."""
        return self.line + (self.inline.text[:at].count("\n") if self.inline else 0)

    def line_with(self, written: str) -> int:
        """The line of the file in which the source first has what is written."""
        return self.line + self.source[: max(0, self.source.find(written))].count("\n")


@dataclass(frozen=True)
class Parsed:
    """A parsed page: its YAML header, its blocks, and YAML that cannot be read (line, error)."""

    header: dict[str, object]
    blocks: list[Block]
    errors: list[tuple[int, str]]


def walk(blocks: list[Block]) -> Iterator[Block]:
    """Yield every block in reading order, a block before what it holds."""
    for block in blocks:
        yield block
        yield from walk(block.children)


@lru_cache(maxsize=512)
def parse(text: str) -> Parsed:
    """Parse the text of a page. The result is shared between calls: do not change it."""
    return _Builder().parse_page(text)


@cache
def _markdown() -> MarkdownIt:
    return create_md_parser(MdParserConfig(enable_extensions=EXTENSIONS), RendererHTML)


class _Builder:
    """Turns the parser's syntax tree into blocks, keeping lines of the file through nesting."""

    def __init__(self) -> None:
        # Shared by the page and the bodies of its directives: link and footnote definitions.
        self.env: dict[str, object] = {}
        self.errors: list[tuple[int, str]] = []

    def parse_page(self, text: str) -> Parsed:
        root = SyntaxTreeNode(_markdown().parse(text, self.env))
        header: dict[str, object] = {}
        if root.children and root.children[0].type == "front_matter":
            header = self.read_yaml(root.children[0].content, line=2)
        return Parsed(header, self.blocks(root.children, offset=0), self.errors)

    def read_yaml(self, text: str, line: int) -> dict[str, object]:
        try:
            data = yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            self.errors.append((line + (mark.line if mark else 0), str(error).splitlines()[0]))
            return {}
        if not isinstance(data, dict):
            self.errors.append((line, "expected `key: value` lines"))
            return {}
        return {str(key): value for key, value in data.items()}

    def body(self, text: str, offset: int) -> list[Block]:
        tokens = _markdown().parse(text, self.env)
        return self.blocks(SyntaxTreeNode(tokens).children, offset)

    def blocks(self, nodes: list[SyntaxTreeNode], offset: int) -> list[Block]:
        """Build sibling blocks; a target becomes a label of the block that follows it."""
        built: list[Block] = []
        targets: list[Block] = []
        for node in nodes:
            if node.type == "front_matter":
                continue
            block = self.block(node, offset)
            if block.kind == "target":
                targets.append(block)
                continue
            if block.kind != "comment":
                block.labels = (*(t.name for t in targets), *block.labels)
                targets = []
            built.append(block)
        return built + targets  # a target that nothing follows stays, to be reported

    def block(self, node: SyntaxTreeNode, offset: int) -> Block:
        line = offset + (node.map[0] if node.map else 0) + 1
        match node.type:
            case "myst_target":
                return Block("target", line, name=node.content)
            case "heading":
                return self.prose("heading", line, node.children, level=int(node.tag[1]))
            case "paragraph" | "dt":
                return self.prose("paragraph", line, node.children)
            case "bullet_list" | "ordered_list" | "dl":
                name = {"bullet_list": "bullet", "ordered_list": "ordered"}.get(
                    node.type, "definition"
                )
                options = {"start": node.attrs["start"]} if "start" in node.attrs else {}
                return Block(
                    "list",
                    line,
                    name=name,
                    options=options,
                    children=self.blocks(node.children, offset),
                )
            case "list_item" | "dd":
                return Block("item", line, children=self.blocks(node.children, offset))
            case "blockquote":
                return Block("quote", line, children=self.blocks(node.children, offset))
            case "table":
                return Block("table", line, children=self.rows(node, offset))
            case "fence" | "colon_fence" if node.info.lstrip().startswith("{"):
                return self.directive(node, line)
            case "fence" | "colon_fence" | "code_block":
                language = (node.info.split() or [""])[0] if node.type != "code_block" else ""
                return Block("fence", line, node.content, name=language)
            case "math_block" | "math_block_label" | "amsmath":
                labels = (node.info,) if node.type == "math_block_label" else ()
                return Block("math", line, node.content.strip(), labels=labels)
            case "footnote_reference":
                return Block(
                    "footnote",
                    line,
                    name=node.meta["label"],
                    children=self.blocks(node.children, offset),
                )
            case "html_block":
                return Block("html", line, node.content.strip())
            case "myst_line_comment":
                return Block("comment", line, node.content.strip())
            case "myst_block_break" | "hr":
                return Block("break", line, node.content if node.type != "hr" else "")
            case other:
                raise ValueError(
                    f"line {line}: no rule for the Markdown element {other!r}: "
                    f"add one to docs/_tools/blocks.py"
                )

    def prose(self, kind: str, line: int, nodes: list[SyntaxTreeNode], *, level: int = 0) -> Block:
        source = " | ".join(node.content for node in nodes)
        inline = _inline([node for inline in nodes for node in [*inline.children, None]][:-1])
        return Block(kind, line, source, level=level, inline=inline)

    def words(self, kind: str, line: int, text: str) -> Block:
        """Prose that is not a Markdown block: the title of a card, the caption of a figure."""
        root = SyntaxTreeNode(_markdown().parseInline(text, self.env))
        return self.prose(kind, line, root.children)

    def rows(self, table: SyntaxTreeNode, offset: int) -> list[Block]:
        rows = []
        for node in (row for part in table.children for row in part.children):
            cells = [cell.children[0] for cell in node.children]
            line = offset + (node.map[0] if node.map else 0) + 1
            rows.append(self.prose("row", line, cells, level=len(cells)))
        return rows

    def directive(self, node: SyntaxTreeNode, line: int) -> Block:
        found = re.match(r"\s*\{([^}]*)\}\s*(.*)", node.info)
        name, argument = (found[1], found[2].strip()) if found else (node.info, "")
        options, body, skipped = self.options(node.content, line + 1)
        if name == "code-cell":
            return Block("code-cell", line, body, options=options, argument=argument)
        if name in CODE:
            return Block("fence", line, body, name=argument.split()[0] if argument else "")
        labels = tuple(str(options[key]) for key in ("name", "label") if key in options)
        if name == "math":
            return Block("math", line, body.strip(), labels=labels)
        block = Block("directive", line, name=name, argument=argument, options=options)
        block.labels = labels
        if name in VERBATIM:
            block.source = body
            return block
        if name in TITLED and argument:
            block.children.append(self.words("title", line, argument))
        for key in WORDED_OPTIONS:
            if key in options:
                block.children.append(self.words(key, line, str(options[key])))
        block.children += self.body(body, offset=line + skipped)
        return block

    def options(self, content: str, line: int) -> tuple[dict[str, object], str, int]:
        """Split the content of a directive: its options, its body, the lines before the body."""
        lines = content.splitlines()
        if lines and lines[0].strip() == "---":
            end = next((i for i, text in enumerate(lines[1:], 1) if text.strip() == "---"), 0)
            if end:
                options = self.read_yaml("\n".join(lines[1:end]), line + 1)
                return options, "\n".join(lines[end + 1 :]), end + 1
        options = {}
        count = 0
        for text in lines:
            found = re.match(r":([\w-]+):\s*(.*)$", text)
            if not found:
                break
            options[found[1]] = found[2].strip()
            count += 1
        return options, "\n".join(lines[count:]), count


def _inline(nodes: list[SyntaxTreeNode | None]) -> Inline:
    """Sort the parts of a run of prose; None separates the cells of a table row."""
    text: list[str] = []
    parts: dict[str, list] = {
        key: [] for key in ("code", "math", "links", "images", "roles", "footnotes")
    }

    def visit(node: SyntaxTreeNode | None) -> None:
        match node.type if node else "cell":
            case "cell":
                text.append("|")
            case "text":
                text.append(node.content)
            case "softbreak" | "hardbreak":
                text.append("\n")
            case "code_inline":
                parts["code"].append(node.content)
                text.append(OBJECT)
            case "math_inline" | "math_inline_double" | "math_single":
                parts["math"].append(node.content)
                text.append(OBJECT)
            case "myst_role":
                words, target = _role(node.content)
                parts["roles"].append((node.meta["name"], target))
                text.append(words or OBJECT)
            case "image":
                parts["images"].append(str(node.attrs["src"]))
                text.append(OBJECT)
                for child in node.children:  # the alternative text is words too
                    visit(child)
            case "footnote_ref":
                parts["footnotes"].append(node.meta["label"])
            case "html_inline":
                text.append(OBJECT)
            case "link":
                parts["links"].append(str(node.attrs.get("href", "")))
                for child in node.children:
                    visit(child)
            case _:  # emphasis and the like: marks around words
                for child in node.children:
                    visit(child)

    for node in nodes:
        visit(node)
    return Inline("".join(text), **{key: tuple(value) for key, value in parts.items()})


def _role(content: str) -> tuple[str, str]:
    """Split the content of a role: "words <target>" or the target alone."""
    found = re.fullmatch(r"(.*?)\s*<([^<>]+)>", content, re.DOTALL)
    return (found[1], found[2]) if found else ("", content.lstrip("~!"))
