"""Lists the layouts of repositories of graphs."""

from seesay.checkpoints.graphs.immich import IMMICH
from seesay.checkpoints.graphs.layout import Layout
from seesay.checkpoints.graphs.transformers_js import TRANSFORMERS_JS

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (TRANSFORMERS_JS, IMMICH)}
