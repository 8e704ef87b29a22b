# SPDX-License-Identifier: Apache-2.0
"""What a machine says of itself: `keelson run --wait --json`, and a table of what was found with it."""
import json
import subprocess
from dataclasses import dataclass

import harness

WAIT_SECONDS = 2 * harness.BOOT_SECONDS


@dataclass
class Verdict:
    """What `keelson run --wait --json` printed and returned; console is what the machine's console said."""
    status: int
    verdict: str
    record: dict
    console: str

    def failed(self, step):
        """The entry of a failed step; None: it is not among them."""
        return next((f for f in self.record["failed"] if f["step"] == step), None)

    def text(self, step):
        """All that the record says of a failed step."""
        entry = self.failed(step)
        return f"{entry['why']}\n{entry.get('output', '')}" if entry else ""


def wait(image, *options, until="up"):
    """Boots the image until it is up (or down)."""
    done = subprocess.run([harness.KEELSON, "run", "--accel", "tcg", f"--wait={until}", "--json", "--timeout",
                           str(WAIT_SECONDS), *map(str, options), *([str(image)] if image else [])], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=WAIT_SECONDS + 60, check=False)
    console = done.stderr.decode("utf-8", "replace")
    said = json.loads(done.stdout) if done.stdout else {"verdict": "none", "record": None}
    return Verdict(done.returncode, said["verdict"], said["record"], console)


def table(heads, rows):
    """Prints rows at the end of a module's tests, for conftest.py to show; the columns are as wide as they need to be."""
    widths = [max(len(str(row[i])) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())
