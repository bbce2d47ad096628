#!/usr/bin/env python3
"""Prints the ten longest functions, and what is long enough to ask why. Never fails: size is a question."""
import pathlib, subprocess, sys

FUNCTION_LINES, FUNCTION_BRANCHES, FILE_LINES = 70, 15, 800
root = pathlib.Path(__file__).resolve().parents[2]
files = sorted(p for d in ("src", "tools") for p in (root / d).rglob("*.c"))
rows = []
for line in subprocess.run(["pmccabe", *files], capture_output=True, text=True).stdout.splitlines():
    complexity, _, _, _, length, name = line.split("\t")[:6]
    rows.append((int(length), int(complexity), name.replace(str(root) + "/", "")))
if not rows:
    sys.exit("sizes: pmccabe found no function")
asked = [r for r in rows if r[0] > FUNCTION_LINES or r[1] > FUNCTION_BRANCHES]
asked += [(n, 0, str(f.relative_to(root))) for f in files if (n := f.read_text().count("\n")) > FILE_LINES]
for r in sorted(rows, reverse=True)[:10]:
    print("%4d lines %3d branches  %s" % r)
for r in asked:
    print("why so long?", *r)
