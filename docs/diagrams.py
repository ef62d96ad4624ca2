"""Draws the diagrams of the site while it is built: a reader's browser needs neither a script nor another host."""

import re
from hashlib import sha256
from typing import Any

import mermaidx
from mkdocs.exceptions import PluginError


def on_config(config: Any) -> Any:
    """Have every fence that says ``mermaid`` drawn."""
    fence = {"name": "mermaid", "class": "mermaid", "format": _drawn}
    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = [fence]
    return config


def _drawn(source: str, *_: Any, **__: Any) -> str:
    try:
        drawing = mermaidx.render(source, theme="neutral").svg()
    except Exception as error:
        raise PluginError(f"mermaid cannot draw this: {error}\n{source}") from error
    # Names within a drawing begin with this one; two drawings on a page must not share them.
    name = f"drawing-{sha256(source.encode()).hexdigest()[:8]}"
    return f'<div class="drawing">{re.sub("my-svg", name, drawing)}</div>'
