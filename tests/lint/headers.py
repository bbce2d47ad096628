#!/usr/bin/env python3
"""Fails when a public header does not open with a comment that says what it is for.

usage: headers.py [ROOT]

The comment names the file as "folder/name: …" (so a grep finds it), and is at least two lines long: what it
does, then what it refuses to know, its limits, owners or errors.
"""
import pathlib, re, sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
bad, seen = [], 0
for path in sorted(p for d in ("src", "tools") for p in (root / d).rglob("*.h")):
    seen += 1
    text = path.read_text()
    name = f"{path.parent.name}/{path.stem}"
    match = re.match(r"/\*\s+(\S+): .*?\*/", text, flags=re.S)
    where = path.relative_to(root)
    if not match or match[1] != name:
        bad.append(f'{where}: must open with "/* {name}: what it is for …"')
    elif match[0].count("\n") < 2:
        bad.append(f"{where}: its opening comment is one line; say what it does, its limits, who owns "
                   "results, and how it fails")
    if "#pragma once" not in text:
        bad.append(f"{where}: lacks #pragma once")
if seen == 0:
    bad.append("headers: none found, so nothing was checked")
print("\n".join(bad) or f"headers: ok, {seen} files")
sys.exit(bool(bad))
