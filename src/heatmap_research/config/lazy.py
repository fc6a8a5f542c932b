"""Put off an import until its first use."""

import importlib
import sys
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


def lazily(name: str) -> None:
    """Makes `import name` free until one of its attributes is used; `from name import x` is use."""
    sys.modules.setdefault(name, _Later(name))
