#!/usr/bin/env python3
"""fill.py TEMPLATE: prints it with the figures of saved reports in place of its directives.

{{value FILE METRIC DECIMALS}}   a number of the report's DATA block, written as in Spanish
{{lines FILE /FROM/ /TO/}}       the report's lines from the first that FROM matches to the next that TO matches
"""
import pathlib, re, sys

root = pathlib.Path(__file__).resolve().parents[2]


def value(match):
    path, metric, decimals = match.groups()
    found = re.search(rf"^{re.escape(metric)} \S+ (\S+)", (root / path).read_text(), flags=re.M)
    if not found:
        sys.exit(f"fill.py: {path} has no {metric}")
    text = f"{float(found[1]):,.{int(decimals)}f}"
    return text.translate(str.maketrans(",.", ".,"))


def lines(match):
    path, start, end = match.groups()
    taken = []
    for line in (root / path).read_text().splitlines():
        if taken or re.search(start, line):
            if taken and re.search(end, line):
                return "\n".join(taken + [line])
            taken.append(line)
    sys.exit(f"fill.py: {path} has no lines from {start} to {end}")


text = pathlib.Path(sys.argv[1]).read_text()
text = re.sub(r"\{\{value (\S+) (\S+) (\d)\}\}", value, text)
text = re.sub(r"\{\{lines (\S+) /(.*?)/ /(.*?)/\}\}", lines, text)
print(text, end="")
