"""Turns formulas into MathML, which browsers show without a script or a font from elsewhere."""

import re
from html import unescape
from typing import Any

from latex2mathml.converter import convert

INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
BLOCK = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)


def on_page_content(html: str, **_: Any) -> str:
    html = INLINE.sub(lambda match: convert(unescape(match[1])), html)
    return BLOCK.sub(lambda match: convert(unescape(match[1]), display="block"), html)
