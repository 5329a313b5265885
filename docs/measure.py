"""Looks for what runs off the screen, in the built pages: ``python docs/measure.py docs/_build``.

Headless Chromium opens each page at the width of a laptop and of a phone. It fails if a page can be
scrolled sideways, if a table or picture is wider than its column, or if code is cut off. Where there is no
Chromium, it says so and ends with success.
"""

from __future__ import annotations

import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

WIDTHS = (1280, 390)
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--timeout=120000",
    "--virtual-time-budget=120000",
)

HARNESS = """<!doctype html><title>measure</title><body><pre id="found">unfinished</pre><script>
const pages = PAGES, widths = WIDTHS, found = [];
const tooWide = (box) => box.scrollWidth > box.clientWidth + 1;
const named = (box) => `${box.tagName}.${box.className}: ${box.textContent.trim().slice(0, 50)}`;
function look(view, page, width) {
  const root = view.document.documentElement;
  const tell = (what) => found.push(`${page} at ${width}: ${what}`);
  if (!view.document.querySelector("article")) tell("the page is empty");
  if (tooWide(root)) tell(`the page is ${root.scrollWidth} wide`);
  for (const box of view.document.querySelectorAll("article .table-wrapper")) {
    if (tooWide(box)) tell(named(box));
  }
  for (const box of view.document.querySelectorAll("article img, article dt.sig")) {
    if (box.getBoundingClientRect().right > width + 1) tell(named(box) + (box.src || ""));
  }
  for (const box of view.document.querySelectorAll("article pre")) if (tooWide(box)) tell(named(box));
}
async function main() {
  let count = 0;
  for (const width of widths) for (const page of pages) {
    const frame = document.createElement("iframe");
    frame.style.cssText = `width:${width}px;height:900px;border:0`;
    const loaded = new Promise((done) => { frame.onload = done; });
    frame.src = page;
    document.body.append(frame);
    await loaded;
    look(frame.contentWindow, page, width);
    frame.remove();
    count += 1;
  }
  document.getElementById("found").textContent = JSON.stringify({count, found});
}
main();
</script>"""


def measure(program: str, built: Path) -> dict[str, object]:
    """What Chromium finds in the pages of a folder, which are served on loopback."""
    pages = sorted(path.relative_to(built).as_posix() for path in built.rglob("*.html"))
    pages = [page for page in pages if page not in ("genindex.html", "search.html", "py-modindex.html")]
    harness = HARNESS.replace("PAGES", json.dumps(pages)).replace("WIDTHS", json.dumps(WIDTHS))
    with tempfile.TemporaryDirectory() as folder:
        served = Path(folder, "pages")
        shutil.copytree(built, served)
        (served / "measure.html").write_text(harness, encoding="utf-8")
        handler = functools.partial(_Quiet, directory=str(served))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}/measure.html"
            command = [program, *OPTIONS, f"--user-data-dir={folder}/profile", "--dump-dom", url]
            ran = subprocess.run(  # noqa: S603 - the browser that is installed
                command, capture_output=True, text=True, timeout=300, check=True
            )
            server.shutdown()
    found = re.search(r'<pre id="found">(.*?)</pre>', ran.stdout, re.DOTALL)
    if found is None or found[1] == "unfinished":
        raise SystemExit("Chromium did not finish.")
    result: dict[str, object] = json.loads(html.unescape(found[1]))
    return result


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> int:
    """Measure, and tell what was found."""
    program = next((path for path in map(shutil.which, PROGRAMS) if path), None)
    if program is None:
        sys.stdout.write(
            "There is no Chromium here: the pages are not measured (apt-get install chromium).\n"
        )
        return 0
    result = measure(program, Path(sys.argv[1]))
    found = result["found"]
    assert isinstance(found, list)  # noqa: S101 - the harness above writes it
    for line in found:
        sys.stdout.write(f"{line}\n")
    widths = " and ".join(map(str, WIDTHS))
    sys.stdout.write(
        f"{result['count']} looks at pages of {widths} pixels, {len(found)} things run off the screen.\n"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
