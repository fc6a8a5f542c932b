"""Put off an import until its first use."""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from types import ModuleType


class _Later(ModuleType):
    """Stands for a module; its first missing attribute brings the real one, everywhere at once."""

    def __getattr__(self, attribute: str) -> object:
        name = self.__name__
        if sys.modules.get(name) is self:
            del sys.modules[name]
        real = importlib.import_module(name)
        for module in list(sys.modules.values()):
            if isinstance(module, ModuleType) and vars(module).get(name) is self:
                setattr(module, name, real)
        return getattr(real, attribute)


class _Submodules(MetaPathFinder):
    """Finds submodules in the real module, which has imported some that must not run again."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        parent = sys.modules.get(name.rpartition(".")[0])
        if not isinstance(parent, _Later):
            return None
        parent.__getattr__("__name__")
        module = importlib.import_module(name)
        module.__spec__ = spec_from_loader(name, _Imported(module))  # which is asked for its spec
        return module.__spec__


class _Imported(Loader):
    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec


def lazily(name: str, **known: object) -> None:
    """Makes `import name` free until one of its attributes is used; `from name import x` is use.

    Attributes that are known are used without it.
    """
    top = name.partition(".")[0]
    if name in sys.modules or (spec := find_spec(top)) is None:
        return
    later = _Later(name)
    later.__file__ = None  # for which all modules are asked
    if top == name:
        later.__spec__, later.__file__ = spec, spec.origin
    later.__path__ = []  # _Submodules finds them
    vars(later).update(known)
    sys.modules[name] = later
    if not any(isinstance(finder, _Submodules) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Submodules())
