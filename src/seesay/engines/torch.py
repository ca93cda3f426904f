"""The torch engine (extra `torch`): runs the towers themselves, for GPUs, hidden states and gradients."""

import numpy as np
import torch

from seesay.engines.protocol import Capability, Engine
from seesay.engines.threads import Threads
from seesay.models.clip import Clip


class TorchEngine(Engine):
    """Runs a `Clip` on a device ("cpu", "cuda", "mps"). The model is moved there and stays in eval mode. threads: of torch on a
    CPU, by default as many as there are free cores (`engines.threads`)."""

    name = "torch"

    def __init__(self, clip: Clip, device: str = "cpu", *, threads: int | None = None) -> None:
        self._threads = Threads(threads)
        self.device = torch.device(device)
        self.clip = clip.eval().to(self.device)

    @property
    def capabilities(self) -> frozenset[Capability]:
        image, text = self.clip.config.image, self.clip.config.text
        offered: list[Capability] = ["hidden_states", "gradients"]
        offered += [] if image is None else ["image", "dense"] if image.has_dense else ["image"]
        return frozenset(offered if text is None else [*offered, "text"])

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return _array(self.clip.image(self._tensor(pixels)))

    def encode_dense(self, pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return _array(self.clip.image.with_dense(self._tensor(pixels))[1])

    def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return _array(self.clip.text(self._tensor(ids)))

    def hidden_pixels(self, pixels: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            return [_array(state) for state in self.clip.image.hidden_states(self._tensor(pixels))]

    def hidden_tokens(self, ids: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            return [_array(state) for state in self.clip.text.hidden_states(self._tensor(ids))]

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        """An input on the device. Every run begins here, so threads are set here."""
        if self.device.type == "cpu":
            self._threads.apply()
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
