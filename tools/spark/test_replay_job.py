"""The job on `local[2]` counts and writes what one `enjamb replay` does."""

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

# On this machine alone, with little memory.
CONFIGURATION = """
spark.driver.host 127.0.0.1
spark.driver.bindAddress 127.0.0.1
spark.driver.memory 1g
spark.ui.enabled false
spark.ui.showConsoleProgress false
spark.python.worker.memory 256m
spark.speculation false
"""

# A program that stands for `enjamb`, and ends badly after all its work is done.
UNLUCKY = """#!/bin/sh
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


class OnSpark(unittest.TestCase):
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
        cls.no_capture = os.path.join(cls.captures, "notes.txt")
        with open(cls.no_capture, "w", encoding="utf-8") as file:
            file.write("not a capture\n")
        # By name, since it would be passed over in its directory.
        cls.asked = [cls.captures, cls.no_capture]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def job(self, name, *arguments, enjamb=ENJAMB, master="local[2]"):
        """Runs the job into a dataset of this name."""
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

    def one_run(self, *arguments):
        """The summary and the dataset of one `enjamb replay` over all."""
        folder = tempfile.mkdtemp(dir=self.folder.name)
        subprocess.run(
            [ENJAMB, "replay", "--format", "parquet", "--out", folder, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        return folder, summary_of(folder)

    def unlucky(self, name, always="-", once="-"):
        path = os.path.join(self.folder.name, name)
        marks = tempfile.mkdtemp(dir=self.folder.name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(UNLUCKY.format(enjamb=ENJAMB, always=always, once=once, marks=marks))
        os.chmod(path, 0o755)
        return path, marks

    def assert_same(self, dataset, arguments):
        """The job's dataset and summary are those of one run, but for the numbers of connections, which are within each capture."""
        single, expected = self.one_run(*arguments)
        rows = rows_of(dataset)
        self.assertGreater(len(rows), 500)
        self.assertEqual(rows, rows_of(single))
        self.assertEqual(by_name(summary_of(dataset)), by_name(numbered_within(expected, single)))

    def test_all_captures_give_what_one_run_gives(self):
        dataset, code, said, err = self.job("all", *self.asked)
        self.assertEqual(code, 0, err)
        self.assertIn("43 captures, 2 of them not whole", said)
        self.assertIn("cut.pcapng: the capture ends", err)
        self.assertIn("notes.txt: expected a capture", err)
        self.assertEqual(summary_of(dataset)["capture"]["damaged"], 2)
        self.assert_same(dataset, self.asked)
        with open(os.path.join(dataset, "_captures.jsonl"), encoding="utf-8") as file:
            captures = [json.loads(line) for line in file]
        self.assertEqual(len(captures), 43)
        self.assertEqual([it["capture"] for it in captures if it["said"]], [os.path.join(self.captures, "cut.pcapng"), self.no_capture])
        parts = sorted(part for it in captures for part in it["parts"])
        found = [os.path.relpath(os.path.join(folder, name), dataset) for folder, _, names in os.walk(dataset) for name in names if name.endswith(".parquet")]
        self.assertEqual(parts, sorted(found), "every file is some capture's")
        self.assertEqual(sorted(name for name in os.listdir(dataset) if not name.startswith("protocol=")), ["_captures.jsonl", "_summary.json"])

    def test_a_selection_is_passed_on(self):
        dataset, code, _, err = self.job("selected", "--replay=--filter=outcome != \"ok\" || cuts > 0", self.captures)
        self.assertEqual(code, 0, err)
        single, expected = self.one_run("--filter", "outcome != \"ok\" || cuts > 0", self.captures)
        self.assertEqual(summary_of(dataset)["server"], expected["server"])
        self.assertGreater(expected["server"]["messages"], 20)
        self.assertEqual(rows_of(dataset, conn=False), rows_of(single, conn=False))

    def test_a_task_that_is_tried_again_writes_nothing_twice(self):
        enjamb, marks = self.unlucky("unlucky", once="errors.pcap")
        dataset, code, _, err = self.job("again", *self.asked, enjamb=enjamb, master="local[2,3]")
        self.assertEqual(os.listdir(marks), ["once"], "it did end badly once")
        self.assertEqual(code, 0, err)
        self.assert_same(dataset, self.asked)

    def test_a_capture_that_cannot_be_replayed_is_told_and_the_others_are_there(self):
        enjamb, _ = self.unlucky("cursed", always="redis/errors.pcap")
        dataset, code, _, err = self.job("without", self.captures, enjamb=enjamb, master="local[2,2]")
        self.assertEqual(code, 1, err)
        self.assertIn("redis/errors.pcap: enjamb replay ended with -9", err)
        left = os.path.join(self.captures, "redis/errors.pcap")
        all_but_it = subprocess.run([ENJAMB, "replay", "--list", self.captures], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
        all_but_it.remove(left)
        self.assert_same(dataset, all_but_it)

    def test_what_cannot_be_done_is_said_before_anything_is_begun(self):
        occupied = os.path.join(self.folder.name, "occupied")
        os.makedirs(os.path.join(occupied, "mine"))
        for name, arguments, code, says in [
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
            self.assertIn(says, err)
        self.assertEqual(os.listdir(occupied), ["mine"])
        self.assertFalse(os.path.exists(os.path.join(self.folder.name, "new")))

    def test_nothing_but_what_is_no_capture(self):
        dataset, code, _, err = self.job("nothing", self.no_capture)
        self.assertEqual(code, 3, err)
        self.assertEqual(summary_of(dataset)["connections"], 0)


class Merging(unittest.TestCase):
    def test_quantiles_are_of_all_values_together(self):
        one = {"latency_us": {"count": 3, "p50": 2, "max": 3, "histogram": [[1, 1], [2, 1], [3, 1]]}}
        other = {"latency_us": {"count": 2, "p50": 9, "max": 9, "histogram": [[3, 1], [9, 1]]}}
        merged = summaries.merge(one, other)
        expected = {"count": 5, "p50": 3, "p90": 9, "p99": 9, "p999": 9, "max": 9, "histogram": [[1, 1], [2, 1], [3, 2], [9, 1]]}
        self.assertEqual(merged, {"latency_us": expected})
        self.assertEqual(summaries.merge(None, merged), merged)

    def test_what_differs_and_is_no_count_is_not_merged(self):
        with self.assertRaises(ValueError):
            summaries.merge({"type": "summary", "selected": {"side": "client"}}, {"type": "summary", "selected": {"side": "server"}})


def summary_of(dataset):
    with open(os.path.join(dataset, "_summary.json"), encoding="utf-8") as file:
        return json.load(file)


def query(dataset, sql):
    connection = duckdb.connect()
    connection.execute(f"create view records as from read_parquet('{dataset}/**/*.parquet', hive_partitioning = true)")
    return connection.execute(sql).fetchall()


# Numbered within its capture, as both sides of the comparison can be.
WITHIN = "conn - min(conn) over (partition by capture) + 1"


def rows_of(dataset, conn=True):
    """All rows, in an order of their own."""
    replaced = f"* replace (epoch_us(time) as time, {WITHIN if conn else 'null'} as conn)"
    return sorted(query(dataset, f"select {replaced} from records"), key=repr)


def numbered_within(summary, dataset):
    """The summary of one run, with the connections that it names numbered within their captures, which are named too."""
    places = {conn: (capture, within) for conn, capture, within in query(dataset, f"select conn, capture, {WITHIN} from records")}
    for named in summary["longest"] + summary["capture"]["incidents"]:
        named["capture"], named["conn"] = places[named["conn"]]
    return summary


def by_name(value):
    """For comparing: as JSON, with its fields in order."""
    return json.dumps(value, sort_keys=True, indent=1)


if __name__ == "__main__":
    unittest.main()
