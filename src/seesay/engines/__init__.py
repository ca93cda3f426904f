"""Engines run the towers of a model, arrays in and arrays out; callers never ask which engine they have."""

from seesay.engines.onnx import OnnxEngine
from seesay.engines.protocol import Engine

__all__ = ["Engine", "OnnxEngine"]
