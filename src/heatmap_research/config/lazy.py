"""Put off an import until its first use."""

import importlib
import sys
from collections.abc import Iterable
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands for a module; its first missing attribute brings the real one, everywhere at once."""

    def __getattr__(self, attribute: str) -> object:
        name = self.__name__
        if sys.modules.get(name) is self:
            _bring(self)
        return getattr(importlib.import_module(name), attribute)


def _bring(later: _Later) -> None:
    name = later.__name__
    del sys.modules[name]
    real = importlib.import_module(name)
    last = name.rpartition(".")[2]
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType) and vars(module).get(last) is later:
            setattr(module, last, real)


class _Submodules(MetaPathFinder):
    """Finds submodules in the real module, which has imported some that must not run again."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        parent = sys.modules.get(name.rpartition(".")[0])
        if not isinstance(parent, _Later):
            return None
        parent.__getattr__("__name__")
        module = importlib.import_module(name)
        spec = spec_from_loader(name, _Imported(module))  # of which the module is asked
        vars(module)["__spec__"] = spec  # torch's modules of settings refuse it otherwise
        return spec


class _Imported(Loader):
    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__spec__"] = self.spec


def lazily(name: str, called: Iterable[str] = (), **known: object) -> None:
    """Makes `import name` free until one of its attributes is used; `from name import x` is use.

    Attributes that are known are used without it, and functions that are only called bring it
    then.
    """
    top = name.partition(".")[0]
    if name in sys.modules or (spec := find_spec(top)) is None:
        return
    later = _Later(name)
    later.__file__, later.__spec__ = None, ModuleSpec(name, None)  # all modules are asked for them
    if top == name:
        later.__spec__, later.__file__ = spec, spec.origin
    later.__path__ = []  # _Submodules finds them
    vars(later).update(known, **{each: partial(_call, later, each) for each in called})
    sys.modules[name] = later
    if not any(isinstance(finder, _Submodules) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Submodules())


def _call(later: _Later, function: str, *args: Any, **kwargs: Any) -> Any:
    return later.__getattr__(function)(*args, **kwargs)  # type: ignore[operator]


def imported(name: str) -> Any:
    """A module that has been imported, or None where another stands for it or nothing."""
    module = sys.modules.get(name)
    return None if isinstance(module, _Later) else module
