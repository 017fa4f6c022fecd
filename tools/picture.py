"""Draws a stored result, as shown on the terminal, as an SVG for the documentation."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from mlperf_mobile.registry import Registry
from mlperf_mobile.results.store import read
from mlperf_mobile.terminal.card import result_panel

FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""Rich's SVG of a terminal, without the fonts that it would download."""


def main() -> int:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path, help="a result folder")
    parser.add_argument("picture", type=Path, help="the SVG to write")
    parser.add_argument("--command", default="mlperf-mobile run", help="the command line to show as the title")
    args = parser.parse_args()
    result = read(args.result).model_copy(update={"directory": f"mlperf-mobile-results/{args.result.resolve().name}"})
    console = Console(record=True, width=100, file=sys.stderr, force_terminal=True)
    console.print(result_panel(result, Registry().remarks(result)))
    args.picture.write_text(console.export_svg(title=f"$ {args.command}", code_format=FORMAT, unique_id="result"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
