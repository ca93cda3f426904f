"""The towers in torch (extra `torch`), and the model that joins two of them.

Every tower takes batch-first input, gives *raw* projections, and says what else it can give: `hidden_states` (one per layer),
and for pictures `dense` (features per patch or cell, in the shared space). None branches on data, so all of them export.
"""

from seesay.models.clip import Clip

__all__ = ["Clip"]
