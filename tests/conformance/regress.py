"""Runs PostgreSQL's regression suite directly and through what is under test, and shows which results differ.
Called by regress.sh, which has the suite's files; see there."""
import argparse, difflib, os, pathlib, re, shutil, subprocess, sys, tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from router import KINDS, Backend, chosen, target

BIN = pathlib.Path("/usr/lib/postgresql/15")
# What the suite's expected output takes for granted, and as many servers as its largest group has tests.
BACKEND_SETTINGS = ("max_prepared_transactions=2", "autovacuum=on", "hot_standby_feedback=off")
POOL = {"default_pool_size": 60, "max_client_conn": 200, "query_wait_timeout": 60}


def run_suite(place, router, options):
    """The suite's files are copied to where the server may read and write. True when pg_regress said all passed."""
    for name in ("sql", "expected", "data", "parallel_schedule", "resultmap"):
        path = pathlib.Path(options.source) / name
        (shutil.copytree if path.is_dir() else shutil.copy)(path, place / name)
    shutil.copytree(options.library, place / "library")
    for name in ("autoinc.so", "refint.so"):  # of contrib/spi, which the suite wants beside its own
        shutil.copy(BIN / "lib" / name, place / "library")
    os.umask(0)
    for path in (place, *place.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    tests = list(dict.fromkeys(["test_setup", "create_index", *options.tests])) if options.tests else []
    words = [BIN / "lib/pgxs/src/test/regress/pg_regress", f"--inputdir={place}", f"--outputdir={place}",
             f"--bindir={BIN / 'bin'}", f"--dlpath={place / 'library'}", f"--host={router.address.host}",
             f"--port={router.address.port}", f"--user={router.backend.user}", "--dbname=regression",
             *([] if tests else [f"--schedule={place / 'parallel_schedule'}"]), *tests]
    environment = dict(os.environ, PGPASSWORD=router.backend.password, LC_ALL="C")
    result = subprocess.run(words, env=environment, cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=options.timeout)
    (place / "log").write_text(result.stdout)
    failed = re.findall(r"^(?:test)?\s*(\S+)\s+\.\.\. FAILED", result.stdout, re.M)
    print(f"{router.kind}: {' '.join(failed) or 'no test'} failed against the suite's own expectation, "
          f"{len(list((place / 'results').glob('*.out')))} results", flush=True)
    return result.stdout


def compare(directly, through):
    """Prints the results that differ; how many."""
    names = sorted({p.name for d in (directly, through) for p in (d / "results").glob("*.out")})
    different = 0
    for name in names:
        texts = []
        for place in (directly, through):
            path = place / "results" / name
            text = path.read_text(errors="replace") if path.exists() else "(no result)\n"
            texts.append(text.replace(str(place), "PLACE").splitlines())
        lines = list(difflib.unified_diff(*texts, f"direct/{name}", f"through/{name}", lineterm="", n=2))
        if lines:
            different += 1
            print(*lines, sep="\n")
    print(f"{different} of {len(names)} results differ from the direct ones")
    return different if names else 1


def main():
    parser = argparse.ArgumentParser(prog="tests/conformance/regress.sh", description=__doc__)
    parser.add_argument("--source", required=True)
    parser.add_argument("--library", required=True)
    parser.add_argument("--mode", choices=("session", "transaction"), default="session")
    parser.add_argument("--target", choices=KINDS, default=chosen())
    parser.add_argument("--keep", help="a directory in which results and logs are left")
    parser.add_argument("--timeout", type=int, default=900)
    parser.add_argument("tests", nargs="*")
    options = parser.parse_args()
    parent = pathlib.Path(tempfile.mkdtemp(prefix="reparto-regress-", dir="/tmp"))
    parent.chmod(0o755)
    places = []
    try:
        for kind in ("direct", options.target):
            # The second's name says nothing else than the first's, lest lengths in the output differ.
            places.append(parent / f"run{len(places)}")
            places[-1].mkdir()
            # Each has a fresh server: object numbers, statistics and settings are then as alike as they get.
            with Backend(BACKEND_SETTINGS) as backend, target(kind, backend, pool_mode=options.mode, **POOL) as router:
                run_suite(places[-1], router, options)
        return 1 if compare(*places) else 0
    finally:
        if options.keep:
            shutil.copytree(parent, options.keep, dirs_exist_ok=True)
        shutil.rmtree(parent, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
