"""Hostile text for every host and every export: nothing of it may run or be drawn as markup.

Each script sets `globalThis.ran`, so that a test sees that one has run.
"""

from __future__ import annotations

HOSTILE = [
    "<script>globalThis.ran = 'script'</script>",
    "</script><script>globalThis.ran = 'end of a script'</script>",
    "<img src=x onerror=\"globalThis.ran = 'image'\">",
    "<svg onload=\"globalThis.ran = 'svg'\">",
    '"><iframe srcdoc="<script>parent.ran = \'frame\'</script>">',
    "' onmouseover='globalThis.ran = 1' autofocus onfocus='globalThis.ran = 2",
    "--><b>bold</b>",
    "<!--<script>",
    "]]>&lt;&amp;",
    "}</style><style>body { display: none }",
    "url(https://attnwidget.invalid/token.png)",
    "javascript:globalThis.ran='link'",
    "[link](javascript:globalThis.ran='markdown')",
    "`${globalThis.ran = 'template'}` {{7*7}} [[libraries]]",
    'PYTHON_PARAMS; // HACK: "\\n',
    "$x^2$ \\input{x}",
    "a\u202eb\u2066c\u200b\ufeff",
    "\u2028\u2029",
    "e" + "\u0301\u0351" * 200,
    "\x00\x07\x1b[31m",
    "\ud800",
    "__proto__",
    "constructor",
    "",
    "\n",
    "x" * 10_000,
    "שלום",
    "👩\u200d👧",
]
# More than a card, a label or a tab has room for.
HUGE = "y" * 1_000_000
# A title with most of the above in it.
TITLE = " ".join(text for text in HOSTILE if len(text) < 200)
