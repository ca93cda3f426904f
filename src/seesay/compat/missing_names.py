"""`missing_names`: the `__getattr__` of a compat module, which names what the module has when something else is asked for."""

from collections.abc import Callable, Sequence

from seesay.errors import MissingName


def missing_names(module: str, package: str, names: Sequence[str]) -> Callable[[str], object]:
    """The `__getattr__` of a module that stands for a package and has these names of it. It raises MissingName."""

    def missing(name: str) -> object:
        raise MissingName(f"{module} has no {name!r} of {package}; it has {', '.join(names)}. docs/compat.md says what differs")

    return missing
