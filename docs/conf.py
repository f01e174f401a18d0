"""How Sphinx makes the site: the Markdown of the repository as it lies, with each link and each heading looked up.

The source is the repository and not this folder, so that one relative link works here, in an editor and where the
code is shown, and the READMEs of modules and examples are pages too. Decision 10 says why Sphinx.
"""

import re

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

project = "edgecore"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/**.md",
    "edgecore/modules/**.md",
    "cloudhub_stub/**.md",
    "examples/**.md",
    "tests/*/README.md",
]
exclude_patterns = [".*", "build", "dist", "var", "*.egg-info"]
nitpicky = True
suppress_warnings = ["misc.highlighting_failure"]
"""Commands over several lines get no colours; nothing else."""

myst_heading_anchors = 6

html_theme = "furo"
html_title = "edgecore"
html_extra_path = ["site/root"]
html_static_path = ["site/static"]
html_css_files = ["wide.css"]
html_copy_source = False
html_use_index = False
html_show_sphinx = False
html_show_copyright = False

LOADED = re.compile(
    r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*>|@import[^;]*//|url\(["']?http"""
)
"""What a browser would fetch from elsewhere; links that a reader follows are none."""


def setup(app: Sphinx) -> None:
    """Have the site looked through when it is there."""
    app.connect("build-finished", refuse_what_is_loaded_from_elsewhere)


def refuse_what_is_loaded_from_elsewhere(app: Sphinx, failure: Exception | None) -> None:
    """Raise ``ExtensionError`` if a page or style sheet of the site needs a network."""
    pages = [path for kind in ("*.html", "*.css") for path in app.outdir.rglob(kind)] if failure is None else []
    for path in pages:
        if found := LOADED.search(path.read_text("utf-8")):
            raise ExtensionError(f"cannot keep {path}: it loads {found[0]}; the site has to work without a network")
