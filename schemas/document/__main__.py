"""Write the page to standard output."""

import sys

from schemas.document.page import render

sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]  # it is a text file here
sys.stdout.write(render())
