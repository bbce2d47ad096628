"""Clients that set, prepare, lock, listen, copy and create temp tables at random through a pool of one or two server
connections each see exactly what they see on a connection of their own.

    test_differential.py [--seed N] [--steps N] [--with FAMILY] [--without FAMILY] [--target KIND]
    test_differential.py --replay FILE --clients N --pool N      a script that a failure printed

Without arguments, as a unit test: a new seed each time, printed.
"""
import argparse, contextlib, json, os, pathlib, random, sys, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import differential
from differential_steps import FAMILIES, UNPROVABLE
from router import KINDS, Backend, chosen, target

EPISODE, SHRINK_SECONDS = 400, 60
SHAPES = [(2, 1), (3, 2), (2, 2), (4, 2), (3, 1)]  # clients, server connections


def run_all(backend, kind, seed, steps, families, quiet=False):
    """The first difference, or None; unless `quiet` it is made short and shown."""
    random_seed = random.Random(seed)
    with contextlib.ExitStack() as stack:
        routers = {size: stack.enter_context(target(kind, backend, pool_mode="transaction", default_pool_size=size))
                   for size in {size for _, size in SHAPES}}
        left, episode = steps, 0
        while left > 0:
            clients, size = SHAPES[episode % len(SHAPES)]
            run = differential.Run(backend, routers[size], clients, size)
            run.count = episode * 1000
            done, difference = run.random_steps(random_seed.random(), min(EPISODE, left), families)
            if difference and not quiet:
                done, difference = run.shrink(done, difference, SHRINK_SECONDS)
                differential.show(done, difference, seed, run)
            if difference:
                return difference
            left, episode = left - len(done), episode + 1
    return None


class DifferentialTest(unittest.TestCase):
    seed, steps = random.SystemRandom().randrange(1 << 32), int(os.environ.get("REPARTO_STEPS", "3000"))

    @classmethod
    def setUpClass(cls):
        cls.backend = cls.enterClassContext(Backend())
        differential.prepare(cls.backend)

    def test_through_the_pool_as_directly(self):
        print(f"seed {self.seed}, {self.steps} steps", file=sys.stderr, flush=True)
        self.assertIsNone(run_all(self.backend, chosen(), self.seed, self.steps, FAMILIES))

    def test_two_direct_connections_do_not_differ(self):
        """Else what differs above could be the test's own fault."""
        self.assertIsNone(run_all(self.backend, "direct", self.seed, self.steps // 5, FAMILIES))

    @unittest.skipUnless(os.path.exists("/usr/sbin/pgbouncer"), "pgbouncer is not installed")
    def test_a_pool_that_leaks_is_caught(self):
        """PgBouncer does not restore settings: if nothing differs there, the test above can't fail either."""
        for family in ("settings", "prepared", "locks", "listen", "roles"):
            with self.subTest(family):
                self.assertIsNotNone(run_all(self.backend, "pgbouncer", 1, 800, [family, "look"], quiet=True))


def replay(backend, options):
    steps = [json.loads(line) for line in open(options.replay) if line.startswith("[")]
    with target(options.target, backend, pool_mode="transaction", default_pool_size=options.pool) as router:
        difference, used = differential.Run(backend, router, options.clients, options.pool).replay(steps)
    print(difference or f"no difference in {used} steps")
    return 1 if difference else 0


def main():
    parser = argparse.ArgumentParser(description="differential test of a pool")
    parser.add_argument("--seed", type=int, default=DifferentialTest.seed)
    parser.add_argument("--steps", type=int, default=DifferentialTest.steps)
    parser.add_argument("--target", choices=KINDS, default=chosen())
    parser.add_argument("--with", dest="more", action="append", default=[], choices=UNPROVABLE)
    parser.add_argument("--without", action="append", default=[], choices=FAMILIES)
    parser.add_argument("--only", action="append", choices=FAMILIES + UNPROVABLE)
    parser.add_argument("--replay")
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--pool", type=int, default=1)
    options = parser.parse_args()
    families = options.only or [f for f in FAMILIES + options.more if f not in options.without]
    with Backend() as backend:
        differential.prepare(backend)
        if options.replay:
            return replay(backend, options)
        print(f"seed {options.seed}, {options.steps} steps", file=sys.stderr, flush=True)
        return 1 if run_all(backend, options.target, options.seed, options.steps, families) else 0


if __name__ == "__main__":
    if any(word.startswith("--") for word in sys.argv):
        sys.exit(main())
    unittest.main()
