#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the life of a service, and its health, from the tables in the sources into doc/design.md, as Mermaid diagrams.

    svcd/draw.py            writes the drawings
    svcd/draw.py --check    fails if they are not what the tables say
"""
import re
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
DESIGN = REPO / "doc/design.md"
BEGIN, END = "<!-- drawn by svcd/draw.py: {} -->", "<!-- end of drawing -->"


def word(name):
    """CLEAN_TASK -> clean_task"""
    return name.lower()


def transitions(path, state, event, target):
    """[(from, to, [events])] of the table with designated initialisers in a file."""
    text = re.sub(r"/\*.*?\*/", "", (REPO / path).read_text(), flags=re.S)
    text = text[text.index("] = {", text.index("table[")) + len("] = {"):]
    edges = {}
    for block in re.finditer(rf"\[{state}_(\w+)\] =\s*\{{(.*?)\}}[,\n]", text, re.S):
        for entry in re.finditer(rf"\[{event}_(\w+)\] = {target}", block[2]):
            edges.setdefault((word(block[1]), word(entry[2])), []).append(word(entry[1]))
    return [(a, b, events) for (a, b), events in edges.items()]


def diagram(edges, first):
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    lines += [f"    {a} --> {b}: {', '.join(events)}" for a, b, events in edges]
    return "\n".join(lines + ["```"])


def drawings():
    life = transitions("svcd/lifecycle.c", "LIFE", "LIFE_EV", r"TO\(LIFE_(\w+)\)")
    health = transitions("svcd/health.c", "HEALTH", "HEALTH_EV", r"HEALTH_(\w+)")
    assert len(life) > 30 and len(health) > 8, "the tables look different from what this script reads"
    lost = sorted({a for a, b, _ in life if b == "detached"})
    note = f"In {', '.join(lost)}: lost leads to detached."
    return {"life": note + "\n\n" + diagram([e for e in life if e[1] != "detached"], "down"),
            "health": diagram(health, "starting")}


def main():
    text = old = DESIGN.read_text()
    for name, drawing in drawings().items():
        begin = text.index(BEGIN.format(name)) + len(BEGIN.format(name))
        text = text[:begin] + "\n" + drawing + "\n" + text[text.index(END, begin):]
    if "--check" in sys.argv[1:]:
        if text != old:
            print("doc/design.md: the drawings are not those of the tables: `make drawings` draws them", file=sys.stderr)
        return text != old
    DESIGN.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
