"""Prompts as data: a file with a system and a user text, and fields that are filled in one pass.

What is filled in is never read again for fields, so `{{reference}}` in an answer is just that.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reference_impl.judge.error import JudgeConfigError
from reference_impl.judge.untrusted import make_fence, make_visible, quote

FOLDER = Path(__file__).parent / "templates"
LANGUAGES = ("en", "zh")

Messages = list[dict[str, str]]

_FIELD = re.compile(r"\{\{([a-z_]+)\}\}")


@dataclass(frozen=True)
class JudgeTemplate:
    """What a judge is told, with fields in double braces.

    The fields of the system text are filled with what you configured, such as `{{criteria}}`, and
    with `{{fence}}`. Only the user text may hold what is judged, and what is judged is quoted.

    Attributes:
        name: What to call it. It is part of the key under which answers are cached.
        system: The instructions.
        user: The task, what is judged, and the question.

    Raises:
        JudgeConfigError: If a text is missing or no text.

    Example:
        >>> template = JudgeTemplate("short", "Grade <completion-{{fence}}>.", "{{completion}}")
        >>> template.user_fields
        {'completion'}

    Explained in :ref:`judge-prompt`.
    """

    name: str
    system: str
    user: str

    def __post_init__(self) -> None:
        for part in ("name", "system", "user"):
            value = getattr(self, part)
            if not isinstance(value, str) or not value.strip():
                raise JudgeConfigError(f"The template has no text as `{part}`.")

    @classmethod
    def from_file(cls, path: str | Path) -> "JudgeTemplate":
        """Read a template from a TOML file with the keys `system` and `user`.

        Args:
            path: The file.

        Returns:
            The template, named after the file.

        Raises:
            JudgeConfigError: If there is no such file, or it has another form.
        """
        path = Path(path)
        try:
            content = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:  # TOMLDecodeError is a ValueError
            raise JudgeConfigError(f"The template {path.name} cannot be read: {error}") from error
        if set(content) != {"system", "user"}:
            raise JudgeConfigError(
                f"The template {path.name} has {', '.join(content) or 'no keys'}. "
                "It must have `system` and `user`."
            )
        return cls(path.stem, **content)

    @property
    def system_fields(self) -> set[str]:
        """The fields of the system text."""
        return set(_FIELD.findall(self.system))

    @property
    def user_fields(self) -> set[str]:
        """The fields of the user text."""
        return set(_FIELD.findall(self.user))

    def check(self, judged: set[str], configured: set[str] = frozenset()) -> None:
        """Refuse a template that does not fit a judge.

        Args:
            judged: The fields that the judge fills with untrusted text. The template has all.
            configured: The fields that it fills with its settings.

        Raises:
            JudgeConfigError: If a field is missing, unknown, or judged text in the instructions.
        """
        misplaced = self.system_fields & judged
        if misplaced:
            raise JudgeConfigError(
                f"The template {self.name!r} puts {_names(misplaced)} into the instructions. "
                "Judged text belongs into `user` alone."
            )
        missing = judged - self.user_fields
        if missing:
            raise JudgeConfigError(f"The template {self.name!r} lacks {_names(missing)} in `user`.")
        unknown = (self.system_fields | self.user_fields) - judged - configured - {"fence"}
        if unknown:
            raise JudgeConfigError(
                f"The template {self.name!r} has {_names(unknown)}, which this judge does not "
                f"fill. It fills {_names(judged | configured | {'fence'})}."
            )

    def render(
        self, judged: Mapping[str, str | Sequence[str]], configured: Mapping[str, str]
    ) -> Messages:
        """Fill the fields.

        Args:
            judged: Untrusted texts by field, made visible and quoted. A list is quoted text by
                text, numbered from 1.
            configured: Texts of your own by field. They go in as they are.

        Returns:
            A system and a user message.

        Example:
            >>> template = JudgeTemplate("t", "Grade.", "{{prompt}} {{completion}}")
            >>> judged = {"prompt": "2 + 2?", "completion": "{{prompt}}"}
            >>> "{{prompt}}" in template.render(judged, {})[1]["content"]
            True
        """
        visible = {
            field: [make_visible(text) for text in ([given] if isinstance(given, str) else given)]
            for field, given in judged.items()
        }
        fence = make_fence([text for texts in visible.values() for text in texts])
        values = {**configured, "fence": fence}
        for field, texts in visible.items():
            if isinstance(judged[field], str):
                values[field] = quote(field, texts[0], fence)
            else:
                values[field] = "\n\n".join(
                    quote(f"{field.removesuffix('s')}-{number}", text, fence)
                    for number, text in enumerate(texts, start=1)
                )
        return [
            {"role": role, "content": _FIELD.sub(lambda found: values[found[1]], text).strip()}
            for role, text in [("system", self.system), ("user", self.user)]
        ]


def load_template(name: str, language: str) -> JudgeTemplate:
    """Load a template of this package.

    Args:
        name: `"reference"`, `"rubric"`, `"yes_no"`, `"pair"` or `"ranking"`.
        language: `"en"` or `"zh"`: the language in which the judge is instructed.

    Returns:
        The template.

    Raises:
        JudgeConfigError: If there is none.

    Example:
        >>> load_template("reference", "en").name
        'reference.en'
        >>> sorted(load_template("reference", "zh").user_fields)
        ['completion', 'prompt', 'reference']

    Explained in :ref:`judge-prompt`.
    """
    if language not in LANGUAGES:
        raise JudgeConfigError(f"The language is {language!r}. There are {', '.join(LANGUAGES)}.")
    names = sorted({path.name.split(".")[0] for path in FOLDER.glob("*.toml")})
    if name not in names:
        raise JudgeConfigError(f"There is no template {name!r}. There are {', '.join(names)}.")
    return JudgeTemplate.from_file(FOLDER / f"{name}.{language}.toml")


def _names(fields: set[str]) -> str:
    return ", ".join(f"{{{{{field}}}}}" for field in sorted(fields))
