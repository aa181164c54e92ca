"""How Sphinx builds these pages; `make docs` runs it."""

import importlib.metadata
import re
from pathlib import Path

from features.spec import Spec

project = "PQL pipeline"
copyright = "the authors of the PQL pipeline, Apache-2.0"
release = importlib.metadata.version("pql-pipeline")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

# As GitHub names the anchors of headings, so that a link works in both places.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"members": True}
# A parameter is named once: in the signature, with what its docstring says of it.
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"PQL pipeline {release}"
html_show_sphinx = False
html_copy_source = False


def link_files_outside(app, docname, source):
    """Turn links to Markdown outside these pages, such as benchmarks, into links to the file."""
    here = Path(app.srcdir, docname).parent

    def said(link):
        outside = not (here / link[1]).resolve().is_relative_to(Path(app.srcdir).resolve())
        return f"](path:{link[1]})" if outside else link[0]

    source[0] = re.sub(r"\]\(([^):#]+\.md)\)", said, source[0])


def without_settings(app, what, name, obj, skip, options):
    """Settings blocks have a reference of their own."""
    return True if isinstance(obj, type) and issubclass(obj, Spec) else None


def setup(app):
    app.connect("source-read", link_files_outside)
    app.connect("autodoc-skip-member", without_settings)
