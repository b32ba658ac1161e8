"""Packages that take seconds to load, left unloaded until something of theirs is used, which a command may never do."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


class Postponed(ModuleType):
    """A package without a path, so that importing from below it loads it too; no other once it is loaded."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the package holds
        """The same of the loaded package."""
        spec = self.__spec__
        if spec is None or spec.loader is None:
            raise AttributeError(name)
        self.__class__ = ModuleType  # pyright: ignore[reportAttributeAccessIssue]
        self.__path__ = spec.submodule_search_locations or []
        spec.loader.exec_module(self)
        return getattr(self, name)


def postpone(name: str) -> None:
    """Lets `import` of a package cost nothing until it is used; does nothing where it is loaded or missing."""
    spec = find_spec(name) if name not in sys.modules else None
    if spec is not None:
        sys.modules[name] = module = module_from_spec(spec)
        del module.__path__
        module.__class__ = Postponed
