#!/usr/bin/env python3
"""Each lint must catch what it is for, and let clean code pass: run on small made-up trees."""
import pathlib, subprocess, sys, tempfile, unittest

HERE = pathlib.Path(__file__).resolve().parent
LAYERS = ((HERE / "layers.txt").read_text())
HEADER = "/* base/a: what it is for.\n *\n * Limits: none. */\n#pragma once\n"


def lint(name, files, arguments=()):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in {"tests/lint/layers.txt": LAYERS, **files}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        arguments = [a.replace("ROOT", folder) for a in arguments] or [folder]
        if name == "globals.py":
            for source in root.rglob("*.c"):
                subprocess.run(["cc", "-c", source, "-o", source.with_suffix(".o")], check=True)
        run = subprocess.run([sys.executable, HERE / name, *arguments], capture_output=True, text=True)
        return run.returncode, run.stdout + run.stderr


class Lints(unittest.TestCase):
    def caught(self, name, files, message, arguments=()):
        code, output = lint(name, files, arguments)
        self.assertIn(message, output)
        self.assertEqual(code, 1)

    def clean(self, name, files, arguments=()):
        code, output = lint(name, files, arguments)
        self.assertEqual(code, 0, output)

    def test_layers(self):
        self.caught("layers.py", {"src/base/a.c": '#include "net/loop.h"\n'}, "base/ may not include net/")
        self.caught("layers.py", {"src/net/a.c": '#include "base/x_private.h"\n'}, "is private to base/")
        self.caught("layers.py", {"src/shard/a.c": '#include "base/clock.h"\n'}, "shard/ is pure")
        self.caught("layers.py", {"src/route/a.c": "#include <poll.h>\n"}, "route/ is pure")
        self.caught("layers.py", {"src/attic/a.c": '#include "base/a.h"\n'}, "is not a layer")
        self.caught("layers.py", {"tools/common/a.c": '#include "lab/x.h"\n'}, "tools/common may not include lab/")
        self.caught("layers.py", {}, "no sources found")
        self.clean("layers.py", {"src/net/a.c": '#include "base/a.h"\n#include <poll.h>\n',
                                 "tools/load_test/a.c": '#include "lab/x.h"\n#include "shard/y.h"\n'})

    def test_globals(self):
        self.caught("globals.py", {"src/base/a.c": "int count;\n"}, "count in .bss", ["ROOT"])
        self.caught("globals.py", {"src/base/a.c": "static int n = 3; int *f(void); int *f(void) { return &n; }\n"},
                    "n in .data", ["ROOT"])
        self.caught("globals.py", {"src/base/a.c": "_Thread_local int t;\n"}, "t in .tbss", ["ROOT"])
        self.caught("globals.py", {"tools/x/a.c": "int g(void); int g(void) { static int n; return ++n; }\n"},
                    "in .bss", ["ROOT"])
        self.caught("globals.py", {"src/base/a.c.txt": ""}, "no objects", ["ROOT"])
        self.clean("globals.py", {"src/base/a.c": "const int count = 3; extern const char *const n[];\n"
                                                  'const char *const n[] = {"a"};\n'}, ["ROOT"])

    def test_banned(self):
        self.caught("banned.py", {"src/base/a.c": "void f(void) { strcpy(a, b); }\n"}, "strcpy() is banned; use snprintf")
        self.caught("banned.py", {"tools/x/a.c": "int f(void) { return system (x); }\n"}, "system() is banned")
        self.caught("banned.py", {"src/base/a.c": "switch (x) {\ndefault: break;\n}\n"}, "default: in a switch")
        self.caught("banned.py", {}, "no sources found")
        self.clean("banned.py", {"src/base/a.c": '/* strcpy(a) */ char *s = "sprintf(x)"; int r = my_random(); x->rand();\n'})

    def test_headers(self):
        self.caught("headers.py", {"src/base/a.h": "#pragma once\n"}, "must open with")
        self.caught("headers.py", {"src/base/a.h": "/* base/a: short. */\n#pragma once\n"}, "is one line")
        self.caught("headers.py", {"src/base/b.h": HEADER}, 'must open with "/* base/b:')
        self.caught("headers.py", {"src/base/a.h": HEADER.replace("#pragma once\n", "")}, "lacks #pragma once")
        self.clean("headers.py", {"src/base/a.h": HEADER})

    def test_docs(self):
        where = ["ROOT/build", "ROOT"]
        self.caught("docs.py", {"README.md": "[x](gone.md)\n"}, "links to gone.md", where)
        self.caught("docs.py", {"docs/generated.txt": "docs/a.md: echo new\n", "docs/a.md": "old\n"},
                    "docs/a.md: is stale; run ./dev docs", where)
        self.caught("docs.py", {"docs/man/x.1.scd": "x(1)\n"}, "is not built", where)
        self.caught("docs.py", {}, "nothing found", where)
        self.clean("docs.py", {"docs/generated.txt": "docs/a.md: echo new\n", "docs/a.md": "new\n",
                               "README.md": "[a](docs/a.md) [b](https://example.org)\n"}, where)


if __name__ == "__main__":
    unittest.main()
