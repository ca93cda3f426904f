"""`AttributeDict`: named values as transformers' classes return them, readable as attributes and by position."""

from typing import Any

import torch
from torch import Tensor


class AttributeDict(dict[str, Any]):
    """A dict whose values are attributes too; an integer or a slice indexes the values that are not None."""

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getitem__(name)
        except KeyError:
            raise AttributeError(f"there is no {name!r} here, only {', '.join(self)}") from None

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, int | slice):
            return tuple(value for value in self.values() if value is not None)[key]
        return super().__getitem__(key)

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> "AttributeDict":
        """Moves the tensors in place; `dtype` applies to those of floats."""
        for name, value in self.items():
            if isinstance(value, Tensor):
                self[name] = value.to(device=device, dtype=dtype if value.is_floating_point() else None)
        return self
