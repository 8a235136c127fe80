"""Queries over a dataset give the counts of `enjamb replay`, in DuckDB and in Spark."""

import json
import math
import os
import re
import subprocess
import tempfile
import unittest

import duckdb
from pyspark.sql import SparkSession

ENJAMB = os.environ["ENJAMB"]
FRAMING = "client=lines server=any:0a|00 max=1M"
OUTCOMES = ["ok", "failed", "malformed", "incomplete"]


def replay(*arguments):
    done = subprocess.run([ENJAMB, "replay", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return done.stdout.decode()


def query(dataset, sql):
    """Returns the rows of a query over `records`."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"create view records as from read_parquet('{dataset}/**/*.parquet', hive_partitioning = true)")
    return connection.execute(sql).fetchall()


class DuckDBTest(unittest.TestCase):
    """DuckDB reads a dataset, and counts what the summary counts."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.dataset = os.path.join(cls.folder.name, "records")
        replay("--format", "parquet", "--out", cls.dataset, "corpora")
        cls.summary = json.loads(replay("--summary", "--format", "json", "corpora"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def query(self, sql):
        return query(self.dataset, sql)

    def test_messages_by_kind_and_outcome(self):
        for side in ("client", "server"):
            counts = ", ".join(f"count(*) filter (outcome = '{outcome}')" for outcome in OUTCOMES)
            rows = self.query(
                f"select protocol, kind, count(*), sum(length)::bigint, {counts} from records "
                f"where type = 'message' and side = '{side}' group by protocol, kind"
            )
            kinds = self.summary[side]["kinds"]
            self.assertGreater(len(kinds), 0)
            names = ["protocol", "kind", "messages", "bytes", *OUTCOMES]
            self.assertEqual(sorted(rows), sorted(tuple(kind[name] for name in names) for kind in kinds))

    def test_latency(self):
        [(count, largest)] = self.query("select count(latency_us), max(latency_us) from records")
        latency = self.summary["latency_us"]
        self.assertEqual(count, latency["count"])
        self.assertLessEqual(abs(largest - latency["max"]), largest / 1000)
        for name, part in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)]:
            [(exact,)] = self.query(f"select quantile_disc(latency_us, {part}) from records")
            # The summary has three significant digits.
            self.assertLessEqual(abs(exact - latency[name]), math.ceil(exact / 1000), name)

    def test_errors(self):
        rows = self.query(
            "select protocol, side, kind, outcome, coalesce(reason, code, ''), count(*) from records "
            "where outcome != 'ok' group by all"
        )
        names = ["protocol", "side", "kind", "outcome", "why", "count"]
        errors = [tuple(error[name] for name in names) for error in self.summary["errors"]]
        self.assertGreater(len(errors), 10)
        self.assertEqual(sorted(rows), sorted(errors))

    def test_connections(self):
        rows = self.query(
            "select client_ending, server_ending, count(*) from records where event = 'end' group by all"
        )
        endings = [(it["client"], it["server"], it["count"]) for it in self.summary["endings"]]
        self.assertEqual(sorted(rows), sorted(endings))
        [(longest,)] = self.query("select max(duration_us) from records")
        self.assertEqual(longest, self.summary["longest"][0]["duration_us"])

    def test_every_row_matches_a_line_of_json(self):
        lines = [json.loads(line) for line in replay("--format", "jsonl", "corpora").splitlines()[:-1]]
        names = ["type", "conn", "protocol", "event", "duration_us", "side", "kind", "offset", "length", "outcome"]
        names += ["code", "reason", "latency_us", "cuts", "summary", "client_bytes", "client_ending", "server_messages"]
        time = "strftime(time::timestamp, '%Y-%m-%dT%H:%M:%S.%f') || lpad(time_nanos::varchar, 3, '0') || 'Z'"

        def end(side):
            return f"if({side}_ip like '%:%', '[' || {side}_ip || ']', {side}_ip) || ':' || {side}_port"

        # Some names are SQL keywords.
        columns = ", ".join(f'"{name}"' for name in names)
        rows = self.query(f"select {time}, {end('client')}, {end('server')}, {columns} from records")
        expected = [tuple(line.get(name) for name in ["time", "client", "server", *names]) for line in lines]
        self.assertEqual(sorted(rows, key=repr), sorted(expected, key=repr))

    def test_queries_of_the_guide(self):
        """The queries in docs/scale.md give the printed results."""
        with open("docs/scale.md", encoding="utf-8") as file:
            guide = file.read()
        [written] = re.findall(r"^enjamb (replay --format parquet .*)$", guide, re.MULTILINE)
        self.assertEqual(written, "replay --format parquet --out target/records corpora")
        connection = duckdb.connect()
        queries = re.findall(r"```sql\n(.*?);\n```\n(?:\n```text\n(.*?)\n```\n)?", guide, re.DOTALL)
        for sql, expected in queries:
            result = connection.sql(sql.replace("target/records", self.dataset))
            if expected:
                self.assertEqual(str(result).rstrip(), expected, sql)
        self.assertGreater(len([expected for _, expected in queries if expected]), 4)
        self.assertNotIn("RESULT", guide)

    def test_one_protocol_needs_only_its_own_files(self):
        parquet = f"read_parquet('{self.dataset}/**/*.parquet', filename = true)"
        files = query(self.dataset, f"select distinct filename from {parquet} where protocol = 'redis'")
        self.assertEqual(files, [(f"{self.dataset}/protocol=redis/part-00000.parquet",)])

    def test_a_framing_spec_is_a_protocol(self):
        with tempfile.TemporaryDirectory() as folder:
            replay("--format", "parquet", "--out", folder, "--protocol", FRAMING, "corpora/redis/errors.pcap")
            rows = query(folder, "select distinct protocol from records where type = 'message'")
        lines = replay("--format", "jsonl", "--protocol", FRAMING, "corpora/redis/errors.pcap").splitlines()
        [protocol] = {json.loads(line).get("protocol") for line in lines} - {None}
        self.assertEqual(rows, [(protocol,)])


class SparkTest(unittest.TestCase):
    """Spark reads a dataset that it did not write."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.dataset = os.path.join(cls.folder.name, "records")
        replay("--format", "parquet", "--out", cls.dataset, "--protocol", FRAMING, "corpora/redis")
        local = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"}
        local.update({"spark.driver.memory": "1g", "spark.local.dir": cls.folder.name})
        local.update({"spark.sql.session.timeZone": "UTC"})
        local.update({"spark.sql.warehouse.dir": cls.folder.name, "spark.sql.shuffle.partitions": "2"})
        builder = SparkSession.builder.master("local[2]")
        for name, value in local.items():
            builder = builder.config(name, value)
        cls.spark = builder.getOrCreate()
        cls.spark.read.parquet(cls.dataset).createOrReplaceTempView("records")

    @classmethod
    def tearDownClass(cls):
        cls.spark.stop()
        cls.folder.cleanup()

    def test_spark_reads_the_same_rows_as_duckdb(self):
        for sql in [
            "select protocol, type, count(*) from records group by all",
            "select kind, outcome, sum(length), sum(cuts), max(client_port) from records "
            "where protocol is not null group by all",
            "select capture, conn, summary, time_nanos from records",
        ]:
            rows = [tuple(row) for row in self.spark.sql(sql).collect()]
            self.assertEqual(sorted(rows, key=repr), sorted(query(self.dataset, sql), key=repr))
        in_2026 = "select count(*) from records where time between '2026-01-01' and '2027-01-01'"
        [(count,)] = self.spark.sql(in_2026).collect()
        self.assertGreater(count, 500)
        self.assertEqual(query(self.dataset, "select count(*) from records"), [(count,)])


if __name__ == "__main__":
    unittest.main()
