#!/usr/bin/env python3
"""The pure parts of `./dev bench proxy`: parsers, percentiles, ratios, bars, the choice of cases."""
import argparse, os, pathlib, re, shutil, signal, subprocess, sys, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import proxy
from proxybench import cases, contenders, crowd, pgbench, proc, result, trials
from proxybench.world import Refused, World

STRACE = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 70.97    0.000022          22        11         3 recvfrom
 29.03    0.000009           4        20           sendto
------ ----------- ----------- --------- --------- ----------------
100.00    0.000031          10        31         3 total
"""
PERF = """
 Summary of events:

 reparto (16755), 218 events, 97.3%

   syscall            calls  errors  total       min       avg       max       stddev
                                     (msec)    (msec)    (msec)    (msec)        (%)
   --------------- --------  ------ -------- --------- --------- ---------     ------
   epoll_wait            10      0   100.703   100.703   100.703   100.703      0.00%
   pread64                2      0     0.011     0.006     0.006     0.006      0.61%

 reparto (16756), 4 events, 0.3%

   epoll_wait             3      0   100.703   100.703   100.703   100.703      0.00%
"""
STAT = "77 (a b) c) S 42 77 77 0 -1 4194304 1 2 3 4 150 250 0 0 20 0 1 0 100 1000 10"


class Parsers(unittest.TestCase):
    def test_strace_counts_each_call_and_no_total(self):
        self.assertEqual(proc.parse_strace(STRACE), {"recvfrom": 11, "sendto": 20})

    def test_perf_adds_up_threads_and_takes_no_head_for_a_call(self):
        self.assertEqual(proc.parse_perf(PERF), {"epoll_wait": 13, "pread64": 2})

    def test_nothing_traced_is_nothing_counted(self):
        self.assertEqual((proc.parse_strace(""), proc.parse_perf("")), ({}, {}))

    def test_a_process_name_with_brackets_does_not_shift_the_fields(self):
        self.assertEqual((proc.parent_of(STAT), proc.ticks_of(STAT)), (42, (150, 250)))

    def test_memory_is_in_bytes(self):
        text = "55e0-7ffd ---p 00000000 00:00 0   [rollup]\nRss:    100 kB\nPss:     7 kB\n"
        self.assertEqual(proc.parse_rollup(text), {"Rss": 102400, "Pss": 7168})

    def test_a_busy_machine_is_told_from_an_idle_one(self):
        self.assertEqual(proc.busy_ticks("cpu  1 2 4 1000 1000 8 16 32 64 64\ncpu0 9"), 63)
        for busy, ours, share in ((4_000_000_000, 1_000_000_000, 0.75), (1, 2, 0.0)):
            self.assertEqual(proc.others_share((10, 20), (10 + busy, 20 + ours), 2, 2), share)

    def test_a_log_line_gives_its_end_and_its_time(self):
        lines = ["0 199 2241 0 1175850568 995598", "1 1 7 0 1175850569 5 0", "2 1 failed 0 1175850569 5", "", "torn 1"]
        self.assertEqual(pgbench.parse_log(lines), [(1175850568.995598, 2241, 0), (1175850569.000005, 7, 1)])

    def test_messages_are_taken_when_they_are_whole(self):
        ready = b"Z\0\0\0\5I"
        buffer = bytearray(ready + ready[:4])
        self.assertEqual((crowd.take_messages(buffer), bytes(buffer)), ([("Z", b"I")], ready[:4]))

    def test_an_error_is_told_by_its_message_field(self):
        self.assertEqual(crowd.error_text(b"SFATAL\0C08P01\0Mno more\0\0"), "no more")


class Figures(unittest.TestCase):
    def test_a_percentile_is_one_of_the_values(self):
        for values, share, expected in (([1], .5, 1), ([1, 2], .5, 1), (list(range(1, 101)), .99, 99),
                                        (list(range(1, 11)), .99, 10), ([1, 2, 3], 0, 1)):
            self.assertEqual(pgbench.percentile(values, share), expected, (values, share))

    def test_only_the_window_counts(self):
        transactions = [(9.9, 1, 0), (10.0, 2, 0), (10.5, 3, 1), (12.0, 5, 2), (12.1, 9, 1)]
        self.assertEqual(pgbench.at_work(transactions, 10.5), 2)
        self.assertEqual(pgbench.summary(transactions, 10, 12),
                         {"transactions": 2, "tps": 1.0, "p50_us": 3, "p99_us": 5})
        with self.assertRaises(Refused):
            pgbench.summary(transactions, 20, 21)

    def test_who_starves_has_waited_all_the_time(self):
        log = [(0.9, 9000, 0), (1.5, 6000, 1), (1.6, 4000, 1), (3.5, 9000, 2)]
        self.assertEqual(trials.waits(log, 3, 1, 3), [1, 1000, 2e6, 2e6])

    def test_cpu_is_for_each_transaction(self):
        share = pgbench.cpu_share((0, 0, 0), (2_000_000_000, 50, 150), 100_000, 4)
        self.assertEqual(share, {"cpu_us": 20.0, "cpu_percent": 50.0, "user_share": 0.25})

    def test_ratios_pair_the_rounds_and_skip_what_failed(self):
        self.assertEqual(result.ratios([1, None, 3, 4], [2, 2, None, 0]), [0.5])

    def test_the_median_of_ratios_is_no_ratio_of_medians(self):
        results = {"c": {"reparto": [{"cpu_us": v} for v in (10, 40, 90)],
                         "pgbouncer": [{"cpu_us": v} for v in (20, 40, 30)]}}
        bar = cases.Bar("c", "cpu_us", most=1, to="pgbouncer")
        self.assertEqual(result.spread(result.bar_figures(results, bar)),
                         {"median": 1.0, "least": 0.5, "most": 3.0, "rounds": 3})

    def test_system_calls_are_summed_by_what_they_do(self):
        counts = {"sendto": 20, "writev": 5, "recvfrom": 30, "epoll_wait": 10, "epoll_ctl": 1, "getpid": 4}
        self.assertEqual(trials.per_query(counts, 10), {"calls": 7.0, "sends": 2.5, "receives": 3.0, "waits": 1.0,
                                                        "epoll_ctls": 0.1})

    def test_numbers_keep_the_digits_that_count(self):
        for value, text in ((None, "-"), (0, "0"), (31234.4, "31,234"), (21.14, "21.1"), (0.0123, "0.0123"),
                            (0.00004, "0.0000"), (100, "100"), (-2.5, "-2.5")):
            self.assertEqual(result.number(value), text)


class Bars(unittest.TestCase):
    def test_the_median_decides_and_the_tilde_says_that_rounds_disagree(self):
        most, least = cases.Bar("c", "m", most=1.0), cases.Bar("c", "m", least=0.9)
        for bar, figures, verdict in ((most, [1.0, 0.9, 0.8], "pass"), (most, [1.0, 0.9, 1.1], "pass~"),
                                      (most, [1.2, 0.9, 1.1], "FAIL~"), (most, [1.2, 1.3, 1.1], "FAIL"),
                                      (least, [0.9, 2, 3], "pass"), (least, [0.8, 0.5, 3], "FAIL~"),
                                      (most, [], "not measured"), (most, [0], "pass")):
            self.assertEqual(result.judge(bar, figures), verdict, figures)

    def test_a_missed_bar_is_missed_with_and_without_tilde(self):
        for verdicts, expected in ((["pass", "pass~", "not measured"], False), (["pass", "FAIL~"], True),
                                   (["FAIL"], True), ([], False)):
            self.assertEqual(result.is_missed([{"verdict": v} for v in verdicts]), expected)

    def test_every_bar_names_a_case_and_cells_that_are_run(self):
        for subject in ("reparto", "pgbouncer"):
            for keeps in (False, True):
                cells = {c.name: {cell.name for cell in c.cells}
                         for c in cases.all_cases(options(subject=subject), keeps)}
                for bar in cases.all_bars():
                    self.assertIn(bar.of, cells[bar.case], bar)
                    self.assertTrue(bar.to is None or bar.to in cells[bar.case], bar)
                    self.assertNotEqual(bar.most is None, bar.least is None, bar)

    def test_a_bar_of_a_case_that_was_not_run_is_left_out(self):
        self.assertEqual(result.judged({}, cases.all_bars()), [])

    def test_what_others_took_is_told(self):
        results = {"c": {"a": [{"others": 0.2}, None, {"others": 0.4}], "b": [{"tps": 1}]}}
        self.assertIn("30%", result.disturbance_line(results)[0])
        self.assertEqual(result.disturbance_line({"c": {"b": [{"tps": 1}]}}), [])

    def test_the_table_shows_failures_and_figures(self):
        results = {"select-simple-16": {"pgbouncer": [{"cpu_us": 20, "tps": 100}], "reparto": [None]},
                   "idle": {"reparto": [{"bytes_per_client": 900}]}}
        bars = result.judged(results, cases.all_bars())
        text = "\n".join(result.table(results, {"select-simple-16"}, "pgbouncer", bars, ["x broke"]))
        for part in ("not measured", "failed: x broke", "at most 4096 B a client", "900"):
            self.assertIn(part, text)


def options(**changes):
    return argparse.Namespace(**{"subject": "reparto", "no_direct": False, "extra": [], "only": [], "quick": False,
                                 **changes})


class Choice(unittest.TestCase):
    def names(self, **changes):
        return [c.name for c in cases.chosen(cases.all_cases(options(**changes), False), options(**changes))]

    def test_only_takes_a_name_or_what_begins_so(self):
        self.assertEqual(self.names(only=["select-simple-1"]), ["select-simple-1"])
        self.assertEqual(self.names(only=["leak", "tls"]), ["tls-simple-16", "leak"])
        self.assertEqual(len(self.names(only=["tpcb"])), 4)

    def test_only_refuses_what_there_is_not(self):
        with self.assertRaisesRegex(ValueError, "nosuch"):
            self.names(only=["leak", "nosuch"])

    def test_quick_names_cases_that_exist(self):
        self.assertEqual(set(self.names(quick=True)), set(cases.QUICK))

    def test_each_cell_comes_first_in_some_round(self):
        cells = ("a", "b", "c")
        self.assertEqual({proxy.rotated(cells, by)[0] for by in range(3)}, set(cells))

    def test_options_below_one_are_refused(self):
        stderr, sys.stderr = sys.stderr, open(os.devnull, "w")
        try:
            for words in (["--rounds", "-1"], ["--seconds", "0.5"], ["--scale", "0"]):
                with self.assertRaises(SystemExit):
                    proxy.parse_options(words)
        finally:
            sys.stderr.close()
            sys.stderr = stderr


class Configuration(unittest.TestCase):
    server = argparse.Namespace(port=5, auth_file="/a", key="/k", certificate="/c")

    def test_both_get_the_same_pool_users_and_limits(self):
        setup = contenders.Setup(pool_size=7, auth="scram-sha-256", clients_max=9)
        ini = contenders.pgbouncer_ini(self.server, setup, 6, (1, 18)).replace(" = ", ": ")
        for line in ("default_pool_size: 7", "auth_type: scram-sha-256", "max_client_conn: 9", "auth_file: /a",
                     "pool_mode: transaction", "listen_port: 6"):
            self.assertIn(line, ini.splitlines())
            self.assertIn(line, contenders.reparto_yaml(self.server, setup, 6).splitlines())

    def test_every_setting_that_is_written_for_reparto_is_in_its_table(self):
        table = (contenders.ROOT / "src/config/settings_table.c").read_text()
        known = set(re.findall(r"\{[A-Z_]+\((\w+)\)", table)) | {"databases"}
        text = contenders.reparto_yaml(self.server, contenders.Setup(tls=True), 6)
        written = set(re.findall(r"^(\w+):", text, flags=re.M))
        self.assertTrue(len(known) > 30 and written <= known, written - known)

    def test_tls_is_required_where_it_is_measured_and_absent_elsewhere(self):
        for tls in (True, False):
            text = contenders.reparto_yaml(self.server, contenders.Setup(tls=tls), 6)
            self.assertEqual("client_tls_sslmode: require" in text, tls)


class Processes(unittest.TestCase):
    def test_everything_that_was_started_ends_with_the_world(self):
        with self.assertRaises(KeyboardInterrupt):
            with World() as world:
                process = world.start(["sleep", "60"], "sleeper", signal.SIGTERM)
                directories = world.directory, world.scratch
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(5)
        self.assertIsNotNone(process.returncode)
        self.assertFalse(any(d.exists() for d in directories))

    def test_servers_end_when_the_benchmark_is_killed(self):
        script = ("import signal, sys\nsys.path.insert(0, sys.argv[1])\nfrom proxybench.world import World\n"
                  "with World() as world:\n"
                  "    process = world.start(['sleep', '60'], 'sleeper', signal.SIGTERM)\n"
                  "    print(process.pid, world.directory, world.scratch, flush=True)\n    signal.pause()\n")
        here = str(pathlib.Path(__file__).resolve().parent)
        bench = subprocess.Popen([sys.executable, "-c", script, here], stdout=subprocess.PIPE, text=True)
        pid, *directories = bench.stdout.readline().split()
        time.sleep(0.3)  # setpriv has to become what it starts
        bench.kill()
        bench.wait()
        bench.stdout.close()
        for directory in directories:
            shutil.rmtree(directory)
        proc.lab.wait_until(lambda: proc.lab.process_state(int(pid)) is None, "the sleeper has ended", 5)

    def test_cpu_of_another_process_and_its_children_is_counted(self):
        burn = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ntime.sleep(60)"
        shell = subprocess.Popen(["sh", "-c", '"$0" -c "$1"; :', sys.executable, burn], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
        try:
            shell.stdout.readline()
            self.assertGreater(proc.cpu_now(shell.pid)[0], 190_000_000)
        finally:
            for pid in reversed(proc.family(shell.pid)):
                os.kill(pid, signal.SIGKILL)
            shell.wait()
            shell.stdout.close()


if __name__ == "__main__":
    unittest.main()
