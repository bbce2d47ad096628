#!/usr/bin/env python3
"""embed.py FILE NAME: prints FILE as a C string constant called NAME."""
import pathlib, sys

print("/* Made from %s by embed.py. */\n" % pathlib.Path(sys.argv[1]).name)
print("static const char %s[] =" % sys.argv[2])
for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
    if line and not line.startswith("--"):
        print('    "%s\\n"' % line.replace("\\", "\\\\").replace('"', '\\"'))
print("    ;")
