#!/usr/bin/env python3
"""Fails when generated documents are stale, a link in a document is dead, or a man page lacks an option.

usage: docs.py BUILD_DIR [ROOT]

`./dev docs` makes what is generated; docs/generated.txt lists it: a line "FILE: command that prints it", with
BUILD for the build directory.
"""
import pathlib, re, shlex, subprocess, sys

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).resolve().parents[2])
bad, checked = [], 0


def fresh(path, command):
    words = [w.replace("BUILD", str(build)) for w in shlex.split(command)]
    run = subprocess.run(words, cwd=root, capture_output=True, text=True)
    if run.returncode != 0:
        return f"{path}: `{command}` failed: {run.stderr.strip()[:200]}"
    if not (root / path).exists() or (root / path).read_text() != run.stdout:
        return f"{path}: is stale; run ./dev docs and commit it"
    return None


listing = root / "docs/generated.txt"
for line in listing.read_text().splitlines() if listing.exists() else []:
    if line and not line.startswith("#"):
        path, _, command = line.partition(": ")
        checked += 1
        bad += filter(None, [fresh(path, command)])

for page in sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "docker").rglob("*.md")]):
    if "templates" in page.parts:
        continue  # their links are seen from where the filled-in page stands
    checked += 1
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists():
            bad.append(f"{page.relative_to(root)}: links to {target}, which is not there")

for page in sorted((root / "docs/man").glob("*.1.scd")):
    name = page.name.split(".")[0]
    program = build / "tools" / name / name  # where Meson puts it; ./dev build links it to build/
    if not program.is_file():
        bad.append(f"{page.relative_to(root)}: {program} is not built, so its options can't be compared")
        continue
    # Its commands: those that --help lists or shows in its usage and examples.
    helped = subprocess.run([program, "--help"], capture_output=True, text=True).stdout
    listed = set(re.findall(rf"^  ([a-z]+(?:-[a-z]+)*)  +\w", helped, flags=re.M))
    listed |= set(re.findall(rf"^(?:usage:|  +) {name} ([a-z]+(?:-[a-z]+)*)\b", helped, flags=re.M))
    commands = [[], *([command] for command in sorted(listed))]
    text = page.read_text().replace("\\", "")
    for command in commands:
        checked += 1
        helped = subprocess.run([program, *command, "--help"], capture_output=True, text=True).stdout
        for option in re.findall(r"^  (--[a-z][a-z-]*)", helped, flags=re.M):
            if option not in text:
                bad.append(f"{page.relative_to(root)}: does not describe {' '.join([program.name, *command])} {option}")
if checked == 0:
    bad.append("docs: nothing found to check")
print("\n".join(sorted(set(bad))) or f"docs: ok, {checked} pages, programs and generated files")
sys.exit(bool(bad))
