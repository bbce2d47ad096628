#!/usr/bin/env python3
"""Fails when our code has a mutable global or thread-local: state belongs in a struct with an owner.

usage: globals.py BUILD_DIR   (looks into its objects of src/ and tools/)

One kind is let through, by name: a `volatile sig_atomic_t` whose name starts with `signal_`, because
C gives a signal handler nowhere else to write.
"""
import pathlib, re, subprocess, sys

build = pathlib.Path(sys.argv[1])
objects = sorted(p for d in ("src", "tools") for p in (build / d).rglob("*.o"))
if not objects:
    sys.exit("globals: no objects under " + sys.argv[1])  # a lint that sees nothing must not pass
table = subprocess.run(["objdump", "-t", *objects], capture_output=True, text=True, check=True).stdout
bad, current = [], ""
for line in table.splitlines():
    if "file format" in line:
        current = line.split(":")[0]
    match = re.match(r"[0-9a-f]+ .{7} (\.(?:data|bss|tdata|tbss)\S*)\s+[0-9a-f]+ +(?:\.hidden )?(\S+)$", line)
    if not match or ".rel.ro" in match[1] or match[2].startswith((".", "__", "signal_")):
        continue
    bad.append(f"{current}: {match[2]} in {match[1]}")
if bad:
    print("mutable globals; make them const, or move them into a struct that somebody owns:")
print("\n".join(bad) or f"globals: none in {len(objects)} objects")
sys.exit(bool(bad))
