"""Reading YAML mappings key by key, with one sentence for every fault. Standard library and PyYAML only."""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from pexbench.errors import InputError, listing

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
IDENTIFIER = r"[a-z_][a-z0-9_]*"


def read_section(path: Path) -> Section:
    """Read a YAML file that holds one mapping.

    Raises:
        InputError: no readable YAML, a repeated key (of which PyYAML would keep the last in silence), or no mapping.
    """
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no readable YAML ({' '.join(str(error).split())}); correct the file.") from error
    return Section(value, path)


class Section:
    """One mapping, taken key by key; :meth:`done` refuses what was not taken."""

    def __init__(self, value: object, path: Path, inside: str = "") -> None:
        """Take a mapping found at ``path``, under the key ``inside`` (empty for the whole file)."""
        self._path, self._inside, self._taken = path, inside, set[str]()
        if not isinstance(value, dict):
            raise self.fault("", value, "a mapping of keys to values")
        odd = [key for key in value if not isinstance(key, str)]
        if odd:
            raise self.fault("", odd[0], "text as a key (put it in quotes)")
        self._values: dict[str, Any] = value

    def fault(self, key: str, found: object, allowed: str) -> InputError:
        """The error for one key: file, key, what was found, what is allowed."""
        where = ".".join(part for part in (self._inside, key) if part)
        return InputError(
            f"{self._path}: {f'key {where!r}' if where else 'the file'} is {found!r}; {allowed} is allowed; "
            "correct the file."
        )

    def has(self, key: str) -> bool:
        """Whether an optional key is given."""
        return key in self._values

    def take(self, key: str) -> Any:
        """The value of a key that must be there."""
        self._taken.add(key)
        if key not in self._values:
            where = ".".join(part for part in (self._inside, key) if part)
            raise InputError(
                f"{self._path}: key {where!r} is missing; the keys found are {listing(self._values, 30)}; add it."
            )
        return self._values[key]

    def text(self, key: str, pattern: str = r"(?s).*\S.*", allowed: str = "text that is not empty") -> str:
        """Text that matches a pattern as a whole; spaces around it are dropped."""
        value = self.take(key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value.strip()):
            raise self.fault(key, value, allowed)
        return value.strip()

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """One of a few words."""
        value = self.take(key)
        if not isinstance(value, str) or value not in allowed:
            raise self.fault(key, value, f"one of {', '.join(allowed)}")
        return value

    def whole(self, key: str, least: int, most: int | None = None, default: int | None = None) -> int:
        """A whole number between two bounds; a key with a default may be absent."""
        value = self.take(key) if default is None or key in self._values else default
        self._taken.add(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or value < least
            or (most is not None and value > most)
        ):
            bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
            raise self.fault(key, value, f"a whole number {bounds}")
        return value

    def positive(self, key: str, default: float | None = None) -> float:
        """A number above zero; a key with a default may be absent."""
        value = self.take(key) if default is None or key in self._values else default
        self._taken.add(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise self.fault(key, value, "a number above 0 (YAML wants the point: 1.0e-5, not 1e-5)")
        return float(value)

    def scalar(self, key: str) -> bool | int | float | str:
        """Text, a number, true or false."""
        value = self.take(key)
        if not isinstance(value, bool | int | float | str):
            raise self.fault(key, value, "text, a number, true or false")
        return value

    def flag(self, key: str, default: bool | None = None) -> bool:
        """True or false; a key with a default may be absent."""
        value = self.take(key) if default is None or key in self._values else default
        self._taken.add(key)
        if not isinstance(value, bool):
            raise self.fault(key, value, "true or false")
        return value

    def section(self, key: str) -> Section:
        """A mapping with fixed keys."""
        return Section(self.take(key), self._path, ".".join(part for part in (self._inside, key) if part))

    def entries(self, key: str, required: bool = True) -> dict[str, Section]:
        """A mapping whose keys are names of the author's choice, each holding a mapping."""
        if not required and key not in self._values:
            return {}
        named = self.section(key)
        named.names()
        return {name: named.section(name) for name in named._values}

    def files(self, key: str) -> dict[str, str]:
        """A mapping of names to file names."""
        named = self.section(key)
        named.names(IDENTIFIER, "letters in lower case, digits and '_'")
        allowed = "a file name of letters, digits, '.', '_' and '-', without a folder,"
        return {name: named.text(name, NAME, allowed) for name in named._values}

    def names(self, pattern: str = NAME, letters: str = "letters, digits, '.', '_' and '-'") -> None:
        """Check that the keys of this mapping are names and that there is at least one."""
        wrong = [name for name in self._values if not re.fullmatch(pattern, name)]
        if wrong or not self._values:
            raise self.fault("", wrong[0] if wrong else {}, f"at least one key, a name of {letters},")

    def done(self) -> None:
        """Refuse keys that nothing has taken."""
        left = [key for key in self._values if key not in self._taken]
        if left:
            where = ".".join(part for part in (self._inside, left[0]) if part)
            known = sorted(self._taken)
            close = difflib.get_close_matches(left[0], known, 1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise InputError(
                f"{self._path}: key {where!r} is unknown{hint}; the keys {listing(known, 30)} are allowed; "
                "remove or rename it."
            )


class _Loader(yaml.SafeLoader):
    """YAML without repeated keys, of which PyYAML would keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse repeated keys, then read the mapping."""
        seen: set[object] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else id(key)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {name!r} occurs twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)
