#!/usr/bin/env python3
"""Counts what ./check ran: every test case of Meson's reports, and every other step as one.

usage: summary.py DIRECTORY   (STEP.result and log-STEP.junit.xml files)

Prints what failed or was skipped and why, then `N passed, N failed, N skipped` alone on the last line. Exit 1 when
anything failed, or when nothing ran.
"""
import pathlib, re, sys
import xml.etree.ElementTree as xml

folder = pathlib.Path(sys.argv[1])
passed = failed = skipped = 0
notes = []
for result in sorted(folder.glob("*.result")):
    name, is_ok = result.stem, result.read_text().strip() == "passed"
    report = folder / f"log-{name}.junit.xml"
    cases = [(suite, case) for suite in xml.parse(report).getroot().iter("testsuite")
             for case in suite.iter("testcase")] if report.exists() else []
    bad_before = failed
    for suite, case in cases:
        title = f"{name}: {case.get('classname', suite.get('name'))} {case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            notes.append(f"FAILED  {title}")
        elif case.find("skipped") is not None:
            skipped += 1
            output = "".join(suite.itertext())
            reason = re.search(r"# SKIP (.*)|skipped: (.*)|\.\.\. skipped ['\"](.*)['\"]", output)
            notes.append(f"skipped {title}" + (f": {next(filter(None, reason.groups()))}" if reason else ""))
        else:
            passed += 1
    if not cases:
        passed += is_ok
        failed += not is_ok
    if not is_ok and failed == bad_before:
        failed += 1
        notes.append(f"FAILED  {name}: see {folder}/{name}.log")
for note in notes:
    print(note, file=sys.stderr)
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or not passed else 0)
