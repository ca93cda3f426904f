"""The torch engine (extra `torch`): runs the towers themselves, for GPUs, hidden states and gradients."""

import copy

import numpy as np

from seesay.errors import MissingCapability, MissingExtra

try:
    import torch
except ModuleNotFoundError:
    raise MissingExtra("the torch engine", "torch") from None

from seesay.engines import agreement
from seesay.engines.protocol import Capability, Engine
from seesay.engines.threads import Threads
from seesay.models.clip import Clip
from seesay.models.fields import Modality

MODALITIES: tuple[Modality, ...] = ("image", "text")


class TorchEngine(Engine):
    """Runs a `Clip` on a device ("cpu", "cuda", "mps"). The model is moved there and stays in eval mode. threads: of torch on a
    CPU, by default as many as there are free cores (`engines.threads`).

    On another device than the CPU, vectors of sample inputs are compared with the CPU's before it is used. Raises ModelError
    where they differ by more than `agreement.EXACT`.
    """

    def __init__(self, clip: Clip, device: str = "cpu", *, threads: int | None = None) -> None:
        self._threads = Threads(threads)
        self._dense: dict[str, str] = {}
        self.device = torch.device("cpu")
        self.clip = clip.eval()
        if device != "cpu":
            self._move(torch.device(device))

    @property
    def name(self) -> str:
        """`torch` on the CPU; elsewhere with the device, as in `torch-cuda`."""
        return "torch" if self.device.type == "cpu" else f"torch-{self.device.type}"

    def _move(self, device: torch.device) -> None:
        """Moves the towers, and compares what they give there. Weights are float32, whatever their file held."""
        config = self.clip.config
        towers: list[Modality] = [tower for tower in MODALITIES if hasattr(self.clip, tower)]
        expected = {tower: agreement.sample_vectors(config, tower, self) for tower in towers}
        if device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = False  # torch's default for convolutions, which keeps 10 bits of their factors
        self.device = device
        self.clip = self.clip.to(device)
        for tower in towers:
            found = agreement.difference(agreement.sample_vectors(config, tower, self), expected[tower])
            agreement.require(found, agreement.EXACT, config.name, tower, self.name)

    @property
    def capabilities(self) -> frozenset[Capability]:
        image, text = self.clip.config.image, self.clip.config.text
        offered: list[Capability] = ["hidden_states", "gradients"]
        offered += [] if image is None else ["image", "dense"] if image.has_dense else ["image"]
        if image is not None and image.finds is not None:
            offered.append("regions" if image.finds == "boxes" else "masks")
        return frozenset(offered if text is None else [*offered, "text"])

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return _array(self.clip.image(self._tensor(pixels)))

    def encode_dense(self, pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return _array(self.clip.image.with_dense(self._tensor(pixels), **self._dense)[1])

    def with_dense_mode(self, mode: str) -> "TorchEngine":
        """The same towers with another last block for the dense output, such as "clearclip" (`models.families.vit.dense`).
        Raises MissingCapability where the image tower has no such mode."""
        modes = self.clip.image.dense_modes
        if mode not in modes:
            offered = f"it has {', '.join(modes)}" if modes else "there is one way to its dense output only"
            raise MissingCapability(f"the image tower of {self.clip.config.name!r} has no dense mode {mode!r}: {offered}")
        engine = copy.copy(self)
        engine._dense = {"mode": mode}
        return engine

    def find_regions(self, pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return _array(self.clip.image.regions(self._tensor(pixels)))

    def find_masks(self, pixels: np.ndarray, queries: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return _array(self.clip.image.masks(self._tensor(pixels), self._tensor(queries)))

    def patch_relevance(self, pixels: np.ndarray, texts: np.ndarray | None = None) -> np.ndarray:
        if not self.clip.image.has_patch_relevance:
            raise MissingCapability(f"attention explains ViTs with a class token, which {self.clip.config.name!r} has not")
        return _array(self.clip.image.patch_relevance(self._tensor(pixels), None if texts is None else self._tensor(texts)))

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
