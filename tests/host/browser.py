# SPDX-License-Identifier: Apache-2.0
"""Pictures as a browser shows them: where every text and rectangle of them is, in windows of several widths."""
import functools
import html
import http.server
import json
import os
import re
import subprocess
import tempfile
import threading
from dataclasses import dataclass

HEIGHT = 600
SECONDS = 300  # a guard against what never ends

# A window of its own for each width, as the browser's have a least width. What a picture would run leaves a mark.
PAGE = """<!DOCTYPE html>
<title>pictures</title>
<body style="margin:0">
<pre id="seen"></pre>
<script>
const views = {views};
for (const v of views) {{
  const frame = document.createElement("iframe");
  frame.src = v.picture;
  frame.width = v.width;
  frame.height = {height};
  frame.style.border = "none";
  document.body.append(frame);
}}
function look(frame) {{
  const page = frame.contentDocument, root = page.documentElement;
  const place = e => {{ const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; }};
  return {{
    error: page.querySelector("parsererror") ? root.textContent : "",
    ran: Boolean(frame.contentWindow.ran || window.ran || page.querySelector("script")),
    root: place(root), scroll: root.scrollWidth,
    title: page.title,
    texts: [...page.querySelectorAll("text")].map(t => [t.textContent, ...place(t)]),
    rects: [...page.querySelectorAll("rect")].map(r => ["", ...place(r)]),
    tips: [...page.querySelectorAll("g > title")].map(t => t.textContent),
  }};
}}
window.onload = () => {{
  document.getElementById("seen").textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(look));
}};
</script>
"""


@dataclass
class Box:
    text: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other):
        return (self.left < other.right and other.left < self.right
                and self.top < other.bottom and other.top < self.bottom)

    def is_within(self, other, slack=0.5):
        return (self.left >= other.left - slack and self.right <= other.right + slack
                and self.top >= other.top - slack and self.bottom <= other.bottom + slack)


class View:
    """A picture in a window of that width."""

    def __init__(self, picture, width, seen):
        self.picture, self.width = picture, width
        self.error, self.ran, self.title, self.scroll = seen["error"], seen["ran"], seen["title"], seen["scroll"]
        self.root = Box("", *seen["root"])
        self.texts, self.rects = ([Box(*one) for one in seen[kind]] for kind in ("texts", "rects"))
        self.tips = seen["tips"]

    def __str__(self):
        return f"{self.picture}, {self.width} wide"

    def check(self):
        """What has to be so of every picture."""
        assert not self.error and not self.ran, f"{self}: {self.error or 'a script ran'}"
        assert self.title, f"{self} has no title"
        assert abs(self.root.right - self.width) <= 1 and self.root.left == 0, f"{self} is {self.root}"
        assert self.scroll <= self.width, f"{self} has to be scrolled sideways"
        for box in self.texts + self.rects:
            assert box.is_within(self.root), f"{self}: {box} is not in {self.root}"
        by_top = sorted(self.texts, key=lambda t: t.top)
        for i, text in enumerate(by_top):
            for other in by_top[i + 1:]:
                if other.top >= text.bottom:
                    break
                assert not text.overlaps(other), f"{self}: {text} overlaps {other}"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def run(folder, url):
    """The page's document when all of it has been loaded."""
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
         "--hide-scrollbars", f"--user-data-dir={folder}/profile", "--dump-dom", url],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def serve(site, pictures, views):
    """The page with all of them, loaded from where it and they are of one origin."""
    for name, text in pictures.items():
        (site / name).write_text(text)
    (site / "index.html").write_text(PAGE.format(views=json.dumps(views), height=HEIGHT))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # The browser's socket is in its folder, and the path of a socket has to be short.
        with tempfile.TemporaryDirectory(prefix="browser.", dir="/tmp", ignore_cleanup_errors=True) as folder:
            page = run(folder, f"http://127.0.0.1:{server.server_port}/index.html")
        server.shutdown()
    return page


def look(site, pictures, widths):
    """pictures: name: SVG text, put into the folder. Returns a View for each of them and each width."""
    views = [{"picture": name, "width": width} for name in pictures for width in widths]
    page = serve(site, pictures, views)
    seen = re.search(r'<pre id="seen">(.+?)</pre>', page, re.S)
    assert seen, page
    return [View(v["picture"], v["width"], one) for v, one in zip(views, json.loads(html.unescape(seen[1])), strict=True)]
