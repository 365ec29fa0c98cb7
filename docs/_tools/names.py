"""The names that the package holds, read from its source without running it.

Reading keeps the check fast and independent of what is installed: importing a name of the package
may import torch.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = "reference_impl"


@dataclass
class Module:
    """One module.

    Attributes:
        defined: The names that it defines.
        imported: The names that it imports, each with its module and its name there.
        lazy: The strings of a module that has a `__getattr__`: what it loads on first use, it
            names there.
    """

    defined: set[str] = field(default_factory=set)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)
    lazy: set[str] = field(default_factory=set)


@dataclass
class Package:
    """What the source of the package says.

    Attributes:
        modules: Every module by its dotted name.
        members: Of each class its fields, methods and properties.
        words: Every public name: modules, classes, functions, parameters, fields, constants; and
            the names of the tests.
    """

    modules: dict[str, Module] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)

    def has(self, dotted: str) -> bool:
        """Whether `reference_impl.rules.exact.ExactMatch.forms` and the like exist."""
        module, *rest = PACKAGE, *dotted.split(".")[1:]
        while rest and f"{module}.{rest[0]}" in self.modules:
            module = f"{module}.{rest.pop(0)}"
        if not rest:
            return module in self.modules
        name, *members = rest
        if not self.binds(module, name):
            return False
        return not members or (len(members) == 1 and members[0] in self.members.get(name, ()))

    def binds(self, module: str, name: str) -> bool:
        """Whether a module has a name: defined there, imported there, or loaded on first use."""
        found = self.modules[module]
        if name in found.defined:
            return True
        if name not in found.imported:
            return name in found.lazy and any(name in m.defined for m in self.modules.values())
        source, original = found.imported[name]
        if source not in self.modules or f"{source}.{original}" in self.modules:
            return True  # from another package, or a module
        return self.binds(source, original)


def read(root: Path) -> Package:
    """Read the package below `root`. A file that does not parse raises SyntaxError."""
    package = Package()
    for file in sorted((root / PACKAGE).rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        dotted = ".".join(part for part in parts if part != "__init__")
        tree = ast.parse(file.read_text("utf-8"), str(file))
        package.modules[dotted] = _module(tree)
        package.words |= {part for part in dotted.split(".") if not part.startswith("_")}
        package.words |= set(_words(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                package.members.setdefault(node.name, set()).update(_members(node))
    package.words |= set(_tests(root / "tests"))
    return package


def _tests(folder: Path) -> Iterator[str]:
    """The names of all tests: a page may say which test holds what it promises."""
    for file in folder.rglob("test_*.py"):
        for node in ast.parse(file.read_text("utf-8"), str(file)).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name


def _module(tree: ast.Module) -> Module:
    module = Module()
    for node in _statements(tree.body):
        match node:
            case ast.FunctionDef(name="__getattr__"):
                strings = (n for n in ast.walk(tree) if isinstance(n, ast.Constant))
                module.lazy = {n.value for n in strings if isinstance(n.value, str)}
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                module.defined.add(node.name)
            case ast.Assign() | ast.AnnAssign():
                module.defined |= set(_assigned(node))
            case ast.ImportFrom(module=source, names=aliases):
                for alias in aliases:
                    module.imported[alias.asname or alias.name] = (source or "", alias.name)
    return module


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, with those below `if` and `try` that run."""
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        for part in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try):
                yield from _statements(getattr(node, part, []))


def _assigned(node: ast.stmt) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    for target in targets:
        for part in ast.walk(target) if target else ():
            if isinstance(part, ast.Name):
                yield part.id


def _members(node: ast.ClassDef) -> Iterator[str]:
    for part in ast.walk(node):
        match part:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Assign() | ast.AnnAssign():
                targets = part.targets if isinstance(part, ast.Assign) else [part.target]
                for target in targets:
                    match target:
                        case (
                            ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name)
                        ):
                            yield name


def _words(tree: ast.Module) -> Iterator[str]:
    """Every public name that a module makes: of functions, parameters, fields, constants."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                names = [node.name, *(a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg))]
            case ast.ClassDef():
                names = [node.name, *_members(node)]
            case _:
                continue
        yield from filter(_is_public, names)
    yield from (name for node in tree.body for name in _assigned(node) if _is_public(name))


def _is_public(name: str) -> bool:
    return not name.startswith("_") or name.endswith("__")
