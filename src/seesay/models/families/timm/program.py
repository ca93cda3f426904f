"""A tower as torch records it (`torch.export`), and its translation into ONNX nodes, operator by operator."""

import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, fx, nn

from seesay.errors import ModelError, first_sentence
from seesay.models.graph_builder import GraphBuilder

Value = str | list[str]
Operator = Callable[["Program", SimpleNamespace], Value]


class Program:
    """The calls that a module makes of an input, in order, whatever the size of the batch.

    module: computes from pixels a tensor, or several. weights: the builder's names of its parameters and buffers, by its own.
    Raises ModelError where torch cannot record it.
    """

    def __init__(self, g: GraphBuilder, module: nn.Module, pixels: Tensor, weights: Mapping[str, str]) -> None:
        self.g, self.weights = g, weights
        batch = ({0: torch.export.Dim("batch", min=1, max=4096)},)
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # of torch, about itself
                self.exported = torch.export.export(module, (pixels,), dynamic_shapes=batch, strict=False)
        except Exception as error:  # of whatever in the module cannot be recorded
            raise ModelError(f"torch cannot record this tower as a graph: {first_sentence(error)}") from None
        self.values: dict[fx.Node, Value] = {}
        self.names: dict[fx.Node, str] = {}  # of weights
        self.known: dict[fx.Node, Any] = {}  # numbers that do not depend on the pixels: weights, and what is computed from them
        self._read_inputs(module)

    def _read_inputs(self, module: nn.Module) -> None:
        signature = self.exported.graph_signature
        held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        for node in self.exported.graph.nodes:
            if node.op != "placeholder":
                continue
            if node.name in signature.user_inputs:
                self.values[node] = "pixels"
                continue
            name = held.get(node.name) or signature.inputs_to_lifted_tensor_constants[node.name]
            if node.name in signature.inputs_to_parameters:
                self.known[node] = module.get_parameter(name)
            else:
                self.known[node] = module.get_buffer(name) if node.name in held else self.exported.constants[name]
            if name in self.weights:
                self.names[node] = self.weights[name]

    @property
    def outputs(self) -> list[fx.Node]:
        """The calls whose values are the module's outputs."""
        last = next(node for node in self.exported.graph.nodes if node.op == "output")
        return list(last.args[0])

    def needed(self, output: fx.Node) -> set[fx.Node]:
        """All calls on which this one depends, itself among them."""
        found, waiting = set[fx.Node](), [output]
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting.extend(node.all_input_nodes)
        return found

    def translate(self, calls: set[fx.Node], operators: Mapping[str, Operator]) -> None:
        """Adds these calls to the graph. Raises ModelError for an operator that is not among `operators`."""
        for node in self.exported.graph.nodes:
            if node not in calls or node.op != "call_function" or node in self.values or node in self.known:
                continue
            if node.all_input_nodes and all(each in self.known for each in node.all_input_nodes):
                arguments, options = fx.map_arg((node.args, node.kwargs), self.known.__getitem__)
                self.known[node] = node.target(*arguments, **options)
            elif node.target is operator.getitem:
                self.values[node] = self.values[node.args[0]][node.args[1]]
            elif isinstance(node.target, torch._ops.OpOverload) and isinstance(node.meta.get("val"), Tensor | list | tuple):
                self._call(node, operators)
            # other calls compute sides, which are known, or check something

    def _call(self, node: fx.Node, operators: Mapping[str, Operator]) -> None:
        name = node.target._schema.name.removeprefix("aten::")  # type: ignore[union-attr]
        in_place = name.endswith("_")
        translate = operators.get(name.removesuffix("_"))
        if translate is None:
            raise ModelError(f"torch's operator {name!r} has no counterpart in SeeSay's graphs; engine='torch' runs this tower")
        call = _arguments(node)
        self.values[node] = translate(self, call)
        if in_place:
            self.values[node.args[0]] = self.values[node]  # type: ignore[index]

    def value(self, argument: Any) -> str:
        """The name of an argument's value: of a tensor, of a weight, or of a number."""
        if not isinstance(argument, fx.Node):
            return self.g.constant(float(argument))
        if argument in self.names:
            return self.g.weight(self.names[argument])
        if argument in self.known:
            return self.g.stored(self.known[argument].detach().contiguous().numpy(), f"computed.{argument.name}")
        value = self.values[argument]
        assert isinstance(value, str)
        return value

    def weight(self, argument: Any) -> str | None:
        """The name of the weight that an argument is; None where it is computed."""
        return self.names.get(argument)

    def shape(self, argument: Any) -> list[int | torch.SymInt]:
        """A tensor's sides; those that depend on the batch are not ints."""
        return list(argument.meta["val"].shape)

    def reshaped(self, x: str, sides: Sequence[int | torch.SymInt]) -> str:
        """The values of x in a shape with at most one side that depends on the batch."""
        known = [side if isinstance(side, int) else -1 for side in sides]
        if known.count(-1) > 1:
            raise ModelError("two sides of a tensor depend on the batch; engine='torch' runs this tower")
        return self.g.node("Reshape", x, self.g.ints(*known))

    def expanded(self, x: str, sides: Sequence[int | torch.SymInt]) -> str:
        """x repeated to a shape whose first side may be the batch."""
        g = self.g
        if all(isinstance(side, int) for side in sides):
            return g.node("Expand", x, g.ints(*map(int, sides)))
        batch = g.node("Slice", g.node("Shape", "pixels"), g.ints(0), g.ints(1))
        return g.node("Expand", x, g.shape(*(side if isinstance(side, int) else self._times(batch, side) for side in sides)))

    def _times(self, batch: str, side: torch.SymInt) -> str:
        """The name of a side, a multiple of the batch."""
        (symbol,) = side.node.expr.free_symbols
        factor = side.node.expr / symbol
        if not factor.is_Integer:
            raise ModelError("a side of a tensor depends on the batch in an unusual way; engine='torch' runs this tower")
        return batch if factor == 1 else self.g.node("Mul", batch, self.g.ints(int(factor)))


def _arguments(node: fx.Node) -> SimpleNamespace:
    """A call's arguments by torch's names for them, with its defaults; `result` is the call itself."""
    schema = node.target._schema  # type: ignore[union-attr]
    given = dict(zip((a.name for a in schema.arguments), node.args, strict=False)) | node.kwargs
    named = {a.name: given.get(a.name, a.default_value if a.has_default_value() else None) for a in schema.arguments}
    return SimpleNamespace(**named, result=node)
