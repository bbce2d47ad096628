#!/usr/bin/env python3
"""reparto check-config and import-config: exit status, where the report goes, and that no password is shown."""
import json, os, pathlib, subprocess, tempfile, unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
REPARTO = pathlib.Path(os.environ["REPARTO_BUILD"]) / "tools/reparto/reparto"


def run(*words, stdin=""):
    done = subprocess.run([REPARTO, *words], input=stdin, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


class CheckConfigTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def test_good_file(self):
        users = self.write("users.txt", '"ann" "x"\n')
        path = self.write("r.yaml", f"auth_file: {users}\nadmin_users: ann\ndatabases: {{a: }}\n")
        for words in [("check-config", path), ("--check-config", path)]:
            self.assertEqual(run(*words), (0, "", f"{path}: can be used, 0 errors, 0 warnings\n"))

    def test_example(self):
        code, out, err = run("check-config", "--no-files", str(ROOT / "docs/reparto.yaml"))
        self.assertEqual((code, out), (0, ""), err)
        self.assertIn("0 errors, 0 warnings", err)

    def test_problems_with_places(self):
        path = self.write("r.yaml", "auth_file: u\nlisten_prot: 1\npool_mode: x\n")
        code, out, err = run("check-config", path)
        self.assertEqual((code, out), (1, ""))
        self.assertIn(f'{path}:2:1: error: unknown setting "listen_prot"\n    2 | listen_prot: 1\n'
                      "      | ^~~~~~~~~~~\n      hint: did you mean listen_port?\n", err)
        self.assertIn(f"{path}:3:12: error: pool_mode", err)
        self.assertIn("can't be used, 2 errors, 0 warnings", err)

    def test_json(self):
        path = self.write("r.yaml", "auth_file: u\nlisten_prot: 1\n")
        code, out, err = run("check-config", path, "--json")
        self.assertEqual((code, err), (1, ""))
        self.assertEqual(json.loads(out), {
            "file": path, "ok": False, "errors": 1, "warnings": 0, "problems": [
                {"file": path, "line": 2, "column": 1, "severity": "error",
                 "message": 'unknown setting "listen_prot"', "hint": "did you mean listen_port?"}]})

    def test_warnings_do_not_fail(self):
        path = self.write("r.yaml", "auth_file: /dev/null\nadmin_users: ann\n")
        code, _, err = run("check-config", path)
        self.assertEqual(code, 0)
        self.assertIn("warning: no databases", err)
        self.assertIn('warning: admin_users: "ann" is not in auth_file', err)

    def test_files_that_it_names(self):
        users = self.write("users.txt", '"ann" "s3cret\n')
        rules = self.write("hba.conf", "local all all peer map=m\nhots all all all trust\n")
        path = self.write("r.yaml", f"auth_file: {users}\nauth_hba_file: {rules}\ndatabases: {{a: }}\n"
                          f"server_tls_ca_file: {self.folder}/none.pem\n")
        code, _, err = run("check-config", path)
        self.assertEqual(code, 1)
        self.assertIn(f"{users}:1:7: the quote is not closed", err)
        self.assertIn(f'{rules}:2:1: error: "hots" is no type', err)
        self.assertIn("TLS to servers: ", err)
        self.assertIn("none.pem", err)
        self.assertNotIn("s3cret", err)
        self.assertEqual(run("check-config", "--no-files", path)[0], 0)
        rules = self.write("hba.conf", "local all all peer map=m\n")
        maps = self.write("ident.conf", "m ann\n")
        path = self.write("r.yaml", f"auth_hba_file: {rules}\nauth_ident_file: {maps}\ndatabases: {{a: }}\n")
        code, _, err = run("check-config", path)
        self.assertEqual(code, 1)
        self.assertIn(f"{maps}:1:6: error: a line has three names", err)

    def test_names_are_seen_from_the_configuration(self):
        self.write("users.txt", '"ann" "x"\n')
        path = self.write("r.yaml", "auth_file: users.txt\ndatabases: {a: }\n"
                          "server_tls_sslmode: verify-full\nserver_tls_ca_file: system\n")
        self.assertEqual(run("check-config", path)[0], 0)

    def test_what_cannot_be_read(self):
        for path, why in [(f"{self.folder}/none", "No such file"), (str(self.folder), "Is a directory"),
                          ("/dev/zero", "has more than")]:
            code, _, err = run("check-config", path)
            self.assertEqual(code, 1)
            self.assertIn(why, err)

    def test_usage(self):
        for words in [("check-config",), ("check-config", "a", "b"), ("check-config", "--jsno", "a"),
                      ("--check-config",), ("import-config",), ("import-config", "a", "b")]:
            code, out, err = run(*words)
            self.assertEqual((code, out), (2, ""), words)
            self.assertIn("reparto", err)
        for command in ["check-config", "import-config"]:
            self.assertEqual(run(command, "--help")[0], 0)


class ImportConfigTest(unittest.TestCase):
    INI = ("[databases]\nshop = host=127.0.0.1 user=app password=s3cret\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
           "auth_type = scram-sha-256\nauth_file = /etc/userlist.txt\npkt_buf = 4096\n")

    def test_imported_file_can_be_used(self):
        code, out, err = run("import-config", "-", stdin=self.INI)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("pool_mode: session\n", out)
        self.assertIn("# pkt_buf = 4096", out)
        code, _, err = run("check-config", "--no-files", "-", stdin=out)
        self.assertEqual(code, 0, err)

    def test_what_the_result_lacks_is_told_without_a_password(self):
        code, out, err = run("import-config", "-", stdin=self.INI.replace("user=app ", ""))
        self.assertEqual(code, 0)
        self.assertIn("password without user is never used", err)
        self.assertNotIn("s3cret", err)
        self.assertIn("s3cret", out)

    def test_refused(self):
        code, out, err = run("import-config", "-", stdin="%include x\n")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("%include is not followed", err)


if __name__ == "__main__":
    unittest.main()
