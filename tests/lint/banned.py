#!/usr/bin/env python3
"""Fails when our C uses a function that has no bound, no error or a hidden state. Each row names the cure.

usage: banned.py [ROOT]
"""
import pathlib, re, sys

CURES = {
    "strcpy": "snprintf, or text_append", "strcat": "text_append", "strncpy": "snprintf or memcpy",
    "strncat": "text_append", "sprintf": "snprintf, or text_appendf", "vsprintf": "vsnprintf",
    "gets": "getline", "strtok": "strsep, or a loop over strcspn", "strtok_r": "strsep",
    "atoi": "options_integer, or strtol with its end checked", "atol": "strtol with its end checked",
    "atof": "strtod with its end checked", "alloca": "an arena", "rand": "base/random",
    "srand": "base/random", "random": "base/random", "drand48": "base/random",
    "localtime": "clock_iso", "gmtime": "gmtime_r", "asctime": "clock_iso", "ctime": "clock_iso",
    "system": "fork and exec without a shell", "popen": "fork and exec without a shell",
    "tmpnam": "mkdtemp or mkostemp", "tempnam": "mkdtemp", "mktemp": "mkdtemp", "usleep": "clock_sleep_until",
    "signal": "sigaction", "setjmp": "an error return", "longjmp": "an error return",
}
root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
call = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(CURES))
blank = lambda match: re.sub(r"[^\n]", " ", match[0])
bad, seen = [], 0
for path in sorted(p for d in ("src", "tools", "tests") for p in (root / d).rglob("*.[ch]")):
    seen += 1
    source = path.read_text()
    source = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, source, flags=re.S)
    for number, line in enumerate(source.splitlines(), 1):
        for match in call.finditer(line):
            bad.append(f"{path.relative_to(root)}:{number}: {match[1]}() is banned; use {CURES[match[1]]}")
        if re.match(r"\s*default\s*:", line) and "lint: not an enum" not in path.read_text().splitlines()[number - 1]:
            bad.append(f"{path.relative_to(root)}:{number}: default: in a switch hides a missing enum member; "
                       "name the members (for a switch over anything else say `/* lint: not an enum */`)")
if seen == 0:
    bad.append("banned: no sources found, so nothing was checked")
print("\n".join(bad) or f"banned: none in {seen} files")
sys.exit(bool(bad))
