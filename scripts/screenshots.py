"""Take pictures of a report: 1280 and 390 pixels wide, light and dark, the full page, and a printed PDF.

    python scripts/screenshots.py [REPORT.html] [--out FOLDER] [--browser chromium]

Without a report it renders the sample of the tests (made-up numbers). Needs Chromium or Chrome; nothing else.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTHS = (1280, 390)
ROOT = Path(__file__).resolve().parent.parent
FRAME = """<!DOCTYPE html><meta charset="utf-8"><style>html,body{{margin:0}}iframe{{border:0;display:block}}</style>
<iframe src="{page}" width="{width}" height="{height}"></iframe>"""
PROBE = """<!DOCTYPE html><meta charset="utf-8"><style>html,body{{margin:0}}iframe{{border:0}}</style>
<iframe src="{page}" width="{width}" height="800"></iframe><script>onload=()=>{{
const d=document.querySelector("iframe").contentDocument.documentElement;
document.title="SIZE "+d.scrollWidth+" "+d.scrollHeight}}</script>"""


def run(browser: str, *arguments: str) -> str:
    """Run the browser without a window, in a profile of its own, and return what it printed."""
    with tempfile.TemporaryDirectory() as profile:
        fixed = (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--allow-file-access-from-files",
        )
        command = [browser, *fixed, f"--user-data-dir={profile}", "--force-device-scale-factor=1", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise SystemExit(f"{browser} failed ({done.returncode}): {done.stderr[-500:]}")
    return done.stdout


def measure(browser: str, page: Path, width: int, scratch: Path) -> tuple[int, int]:
    """Return the page's scroll width and height when it is shown ``width`` pixels wide."""
    probe = scratch / f"probe{width}.html"
    probe.write_text(PROBE.format(page=page.as_uri(), width=width), encoding="utf-8")
    shown = run(browser, "--window-size=1400,900", "--dump-dom", "--virtual-time-budget=3000", probe.as_uri())
    found = re.search(r"SIZE (\d+) (\d+)", shown)
    if found is None:
        raise SystemExit("could not measure the page: the browser gave no size")
    return int(found[1]), int(found[2])


def shoot(browser: str, page: Path, out: Path, scratch: Path) -> bool:
    """Write all pictures and the PDF; return whether no picture overflows its width."""
    fits = True
    for width in WIDTHS:
        wide, height = measure(browser, page, width, scratch)
        if wide > width:
            fits = False
            print(f"overflow: {wide} pixels of content at a width of {width}", file=sys.stderr)
        frame = scratch / f"frame{width}.html"
        frame.write_text(FRAME.format(page=page.as_uri(), width=width, height=height), encoding="utf-8")
        for scheme in ("light", "dark"):
            picture = out / f"{page.stem}-{width}-{scheme}.png"
            dark = (
                ["--blink-settings=preferredColorScheme=0"]
                if scheme == "dark"
                else ["--blink-settings=preferredColorScheme=1"]
            )
            run(browser, *dark, f"--window-size={width},{height}", f"--screenshot={picture}", frame.as_uri())
            print(picture)
    paper = out / f"{page.stem}.pdf"
    run(browser, f"--print-to-pdf={paper}", "--no-pdf-header-footer", page.as_uri())
    print(paper)
    return fits


def sample(folder: Path) -> Path:
    """Write the sample report of the tests and return its path."""
    sys.path.insert(0, str(ROOT))
    from fedrec.report.html import write
    from tests.report.sample import sample as document

    page = folder / "sample.html"
    print(f"{write(page, document()):,} bytes")
    return page


def main() -> int:
    """Read the arguments and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", nargs="?", type=Path)
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    parser.add_argument(
        "--browser", default=next(filter(shutil.which, ("chromium", "chromium-browser", "google-chrome")), "")
    )
    options = parser.parse_args()
    if not options.browser:
        parser.error("no Chromium or Chrome was found: install one or name it with --browser")
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        page = options.report.resolve() if options.report else sample(options.out.resolve())
        return 0 if shoot(options.browser, page, options.out.resolve(), Path(scratch)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
