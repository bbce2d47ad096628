#!/usr/bin/env python3
"""Fails when a file includes a header of a higher layer, or another folder's private header.

usage: layers.py [ROOT]

The order stands in tests/lint/layers.txt. src/ folders may include what is on their left; route
and what is left of it must not do I/O either, so they may not include socket, thread, clock or file headers.
"""
import pathlib, re, sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
lines = [l for l in (root / "tests/lint/layers.txt").read_text().splitlines() if l and l[0] != "#"]
rank = {name.strip(): i for i, name in enumerate(lines[0].split("<"))}
tools = {}
for part in "".join(lines[1:]).split(";"):
    name, _, uses = part.strip().partition(":")
    tools[name] = set(uses.split())
IMPURE = {"sys/socket.h", "sys/epoll.h", "poll.h", "pthread.h", "fcntl.h", "libpq-fe.h", "netinet/in.h",
          "arpa/inet.h", "netdb.h", "base/clock.h", "unistd.h"}
PURE_FROM, PURE_TO = rank.get("wire", 1), rank.get("route", 6)

bad, seen = [], 0
for folder in ("src", "tools"):
    for path in sorted((root / folder).rglob("*.[ch]")):
        relative = path.relative_to(root / folder)
        if len(relative.parts) < 2:
            continue
        layer, seen = relative.parts[0], seen + 1
        for number, line in enumerate(path.read_text().splitlines(), 1):
            where = f"{path.relative_to(root)}:{number}"
            match = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
            if not match:
                continue
            header = match[1]
            is_pure = folder == "src" and PURE_FROM <= rank.get(layer, -1) <= PURE_TO
            if is_pure and header in IMPURE:
                bad.append(f"{where}: {layer}/ is pure and may not include <{header}>; pass the "
                           "fact in as an argument, or move the I/O to net/ or above")
            if "<" in line or "/" not in header:
                continue
            target, name = header.split("/", 1)
            if folder == "src":
                if target not in rank or layer not in rank:
                    bad.append(f'{where}: "{target}" is not a layer; name it in tests/lint/layers.txt, '
                               "in its place from the bottom")
                elif rank[target] > rank[layer]:
                    bad.append(f"{where}: {layer}/ may not include {target}/, which is above it; move "
                               "the shared part down, or the caller up")
            elif target not in rank and target != layer and target not in tools.get(layer, set()):
                bad.append(f"{where}: tools/{layer} may not include {target}/; see tests/lint/layers.txt")
            if name.endswith("_private.h") and target != layer:
                bad.append(f"{where}: {target}/{name} is private to {target}/; use its public header")
if seen == 0:
    bad.append("layers: no sources found, so nothing was checked")
print("\n".join(bad) or f"layers: ok, {seen} files")
sys.exit(bool(bad))
