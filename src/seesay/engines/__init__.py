"""Engines run the two towers: arrays in, arrays out. Callers never ask which one they have."""

from seesay.engines.onnx import OnnxEngine
from seesay.engines.protocol import Engine

__all__ = ["Engine", "OnnxEngine"]
