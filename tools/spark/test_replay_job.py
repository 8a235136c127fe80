"""The job on `local[2]` gives the dataset and the summary of one `enjamb replay`."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import duckdb

import summaries

ENJAMB = os.path.abspath(os.environ["ENJAMB"])
JOB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "replay_job.py")

# Spark on this machine only, with little memory.
CONFIGURATION = """
spark.driver.host 127.0.0.1
spark.driver.bindAddress 127.0.0.1
spark.driver.memory 1g
spark.ui.enabled false
spark.ui.showConsoleProgress false
spark.python.worker.memory 256m
spark.speculation false
"""

# A substitute for `enjamb` that kills itself after its work, always for some captures and once for
# others.
KILLED = """#!/bin/sh
for capture; do :; done
case "$*" in *--list*) exec {enjamb} "$@" ;; esac
{enjamb} "$@"
code=$?
case "$capture" in
    *{always}) kill -KILL $$ ;;
    *{once}) mkdir {marks}/once 2>/dev/null && kill -KILL $$ ;;
esac
exit $code
"""


class ReplayJobTest(unittest.TestCase):
    """The job over the corpora, a damaged capture and a file that is no capture."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.captures = os.path.join(cls.folder.name, "captures")
        for name in ("redis", "http1"):
            shutil.copytree(os.path.join("corpora", name), os.path.join(cls.captures, name))
        with open("corpora/redis/strings-and-hashes.pcapng", "rb") as file:
            whole = file.read()
        with open(os.path.join(cls.captures, "cut.pcapng"), "wb") as file:
            file.write(whole[: len(whole) * 2 // 3])
        cls.notes = os.path.join(cls.captures, "notes.txt")
        with open(cls.notes, "w", encoding="utf-8") as file:
            file.write("not a capture\n")
        # The text file is named, since a directory's files are skipped if they are no captures.
        cls.arguments = [cls.captures, cls.notes]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def job(self, name, *arguments, enjamb=ENJAMB, master="local[2]"):
        """Runs the job. Returns the dataset, the exit code, standard output and standard error."""
        configuration = os.path.join(self.folder.name, "conf")
        os.makedirs(configuration, exist_ok=True)
        with open(os.path.join(configuration, "spark-defaults.conf"), "w", encoding="utf-8") as file:
            file.write(CONFIGURATION)
        environment = {
            **os.environ,
            "SPARK_CONF_DIR": configuration,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": self.folder.name,
            "PYSPARK_PYTHON": sys.executable,
        }
        out = os.path.join(self.folder.name, name)
        done = subprocess.run(
            [sys.executable, JOB, "--master", master, "--enjamb", enjamb, "--out", out, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=600,
            check=False,
        )
        return out, done.returncode, done.stdout.decode(), done.stderr.decode()

    def single_run(self, *arguments):
        """Runs one `enjamb replay` over all captures. Returns its dataset and its summary."""
        folder = tempfile.mkdtemp(dir=self.folder.name)
        subprocess.run(
            [ENJAMB, "replay", "--format", "parquet", "--out", folder, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        return folder, summary_of(folder)

    def killed_program(self, name, always="-", once="-"):
        path = os.path.join(self.folder.name, name)
        marks = tempfile.mkdtemp(dir=self.folder.name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(KILLED.format(enjamb=ENJAMB, always=always, once=once, marks=marks))
        os.chmod(path, 0o755)
        return path, marks

    def assert_same(self, dataset, arguments):
        """Checks that the dataset and the summary are those of one run.

        Only the numbers of connections differ: the job numbers them within each capture.
        """
        single, expected = self.single_run(*arguments)
        rows = rows_of(dataset)
        self.assertGreater(len(rows), 500)
        self.assertEqual(rows, rows_of(single))
        self.assertEqual(sorted_json(summary_of(dataset)), sorted_json(number_within_captures(expected, single)))

    def test_all_captures_give_what_one_run_gives(self):
        dataset, code, out, err = self.job("all", *self.arguments)
        self.assertEqual(code, 0, err)
        self.assertIn("42 captures (1 damaged or failed)", out)
        self.assertIn("cut.pcapng: the capture ends", err)
        self.assertIn("notes.txt: expected a capture", err)
        self.assertEqual(summary_of(dataset)["capture"]["damaged"], 1)
        self.assert_same(dataset, [self.captures])
        with open(os.path.join(dataset, "_captures.jsonl"), encoding="utf-8") as file:
            captures = [json.loads(line) for line in file]
        self.assertEqual(len(captures), 42)
        damaged = [it["capture"] for it in captures if it["stderr"]]
        self.assertEqual(damaged, [os.path.join(self.captures, "cut.pcapng")])
        parts = sorted(part for it in captures for part in it["parts"])
        files = [os.path.join(folder, name) for folder, _, names in os.walk(dataset) for name in names]
        found = [os.path.relpath(file, dataset) for file in files if file.endswith(".parquet")]
        self.assertEqual(parts, sorted(found), "every file belongs to a capture")
        rest = sorted(name for name in os.listdir(dataset) if not name.startswith("protocol="))
        self.assertEqual(rest, ["_captures.jsonl", "_summary.json"])

    def test_a_selection_is_passed_on(self):
        dataset, code, _, err = self.job("selected", "--replay=--filter=outcome != \"ok\" || cuts > 0", self.captures)
        self.assertEqual(code, 0, err)
        single, expected = self.single_run("--filter", "outcome != \"ok\" || cuts > 0", self.captures)
        self.assertEqual(summary_of(dataset)["server"], expected["server"])
        self.assertGreater(expected["server"]["messages"], 20)
        self.assertEqual(rows_of(dataset, conn=False), rows_of(single, conn=False))

    def test_a_task_that_runs_again_writes_nothing_twice(self):
        enjamb, marks = self.killed_program("killed-once", once="errors.pcap")
        dataset, code, _, err = self.job("again", *self.arguments, enjamb=enjamb, master="local[2,3]")
        self.assertEqual(os.listdir(marks), ["once"], "the program was killed once")
        self.assertEqual(code, 0, err)
        self.assert_same(dataset, [self.captures])

    def test_a_capture_that_always_fails_is_named_and_the_others_are_replayed(self):
        enjamb, _ = self.killed_program("killed-always", always="redis/errors.pcap")
        dataset, code, _, err = self.job("without", self.captures, enjamb=enjamb, master="local[2,2]")
        self.assertEqual(code, 1, err)
        self.assertIn("redis/errors.pcap: enjamb replay ended with -9", err)
        failing = os.path.join(self.captures, "redis/errors.pcap")
        listed = subprocess.run([ENJAMB, "replay", "--list", self.captures], stdout=subprocess.PIPE, check=True)
        others = listed.stdout.decode().splitlines()
        others.remove(failing)
        self.assert_same(dataset, others)

    def test_wrong_usage_is_refused_before_any_work(self):
        occupied = os.path.join(self.folder.name, "occupied")
        os.makedirs(os.path.join(occupied, "mine"))
        for name, arguments, code, message in [
            ("occupied", [self.captures], 2, "a new directory"),
            ("new", ["--replay=--filter=kind ==", self.captures], 2, "--filter"),
            ("new", ["--replay=--summary", self.captures], 2, "--format parquet is for records"),
            ("new", ["--replay=--jobs=2", self.captures], 2, "--jobs"),
            ("new", ["--replay=--html=page.html", self.captures], 2, "a run for each capture"),
            ("new", ["--replay=corpora", self.captures], 2, "a long option"),
            ("new", [self.captures, os.path.join(self.captures, "cut.pcapng")], 2, "named twice"),
            ("new", [os.path.join(self.captures, "*.none")], 3, "nothing matches"),
        ]:
            _, found, _, err = self.job(name, *arguments)
            self.assertEqual(found, code, f"{arguments}: {err}")
            self.assertIn(message, err)
        self.assertEqual(os.listdir(occupied), ["mine"])
        self.assertFalse(os.path.exists(os.path.join(self.folder.name, "new")))

    def test_only_files_that_are_no_captures(self):
        dataset, code, _, err = self.job("nothing", self.notes)
        self.assertEqual(code, 3, err)
        self.assertIn("notes.txt: expected a capture", err)
        self.assertFalse(os.path.exists(dataset))


class MergeTest(unittest.TestCase):
    """Summaries are merged as one run would count."""

    def test_quantiles_are_those_of_all_values_together(self):
        one = {"latency_us": {"count": 3, "p50": 2, "max": 3, "histogram": [[1, 1], [2, 1], [3, 1]]}}
        other = {"latency_us": {"count": 2, "p50": 9, "max": 9, "histogram": [[3, 1], [9, 1]]}}
        merged = summaries.merge(one, other)
        expected = {"count": 5, "p50": 3, "p90": 9, "p99": 9, "p999": 9, "max": 9}
        expected["histogram"] = [[1, 1], [2, 1], [3, 2], [9, 1]]
        self.assertEqual(merged, {"latency_us": expected})
        self.assertEqual(summaries.merge(None, merged), merged)

    def test_summaries_that_differ_in_other_fields_are_not_merged(self):
        with self.assertRaises(ValueError):
            summaries.merge({"selected": {"side": "client"}}, {"selected": {"side": "server"}})


def summary_of(dataset):
    with open(os.path.join(dataset, "_summary.json"), encoding="utf-8") as file:
        return json.load(file)


def query(dataset, sql):
    connection = duckdb.connect()
    connection.execute(f"create view records as from read_parquet('{dataset}/**/*.parquet', hive_partitioning = true)")
    return connection.execute(sql).fetchall()


# The number of a connection within its capture, which the job and a single run have in common.
NUMBER_IN_CAPTURE = "conn - min(conn) over (partition by capture) + 1"


def rows_of(dataset, conn=True):
    """Returns all rows, sorted by their text."""
    replaced = f"* replace (epoch_us(time) as time, {NUMBER_IN_CAPTURE if conn else 'null'} as conn)"
    return sorted(query(dataset, f"select {replaced} from records"), key=repr)


def number_within_captures(summary, dataset):
    """Changes the summary of a single run as the job does.

    Connections are numbered within their captures, and the captures are named.
    """
    rows = query(dataset, f"select conn, capture, {NUMBER_IN_CAPTURE} from records")
    places = {conn: (capture, number) for conn, capture, number in rows}
    for named in summary["longest"] + summary["capture"]["incidents"]:
        named["capture"], named["conn"] = places[named["conn"]]
    return summary


def sorted_json(value):
    """Returns JSON with sorted fields, for comparison."""
    return json.dumps(value, sort_keys=True, indent=1)


if __name__ == "__main__":
    unittest.main()
