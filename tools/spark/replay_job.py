"""Replays captures on a Spark cluster: one task per capture, one dataset and one summary of all.

    spark-submit tools/spark/replay_job.py --out /data/records /data/captures
    python tools/spark/replay_job.py --master 'local[8]' --out records captures

The dataset is the one that `enjamb replay --format parquet` writes. docs/scale.md has its schema, and
explains when to use which. Captures and the dataset are on a file system that the driver and all
executors share, under the same paths. The job sends the program `enjamb` to the executors.

One task replays a whole capture. The messages of a connection depend on all earlier bytes in both
directions, so two tasks cannot share one. A connection that continues in another capture counts as
two connections, as in one `enjamb replay` over both captures.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys

from pyspark import SparkConf, SparkContext

import capture_task
import summaries

# Names in the dataset that begin with an underscore are skipped by its readers.
ATTEMPTS = "_attempts"
CAPTURES = "_captures.jsonl"

# How many damaged or failed captures are named on standard error. The dataset names all of them.
NAMED_MAX = 100

# Options of `enjamb replay` that apply to one run over all captures. Here each capture has its own.
SINGLE_RUN_OPTIONS = ("--conn", "--html")

FOUND_WANTING = 1
WRONG_USAGE = 2
NOTHING_READ = 3


def main():
    arguments = parse_arguments()
    for option in arguments.replay:
        if not option.startswith("--"):
            fail_usage(f"--replay={option}: expected a long option with its value, as in --replay=--protocol=redis")
        if option.split("=")[0] in SINGLE_RUN_OPTIONS:
            fail_usage(f"--replay={option}: needs one run over all captures, but the job has a run for each capture")
    enjamb = shutil.which(arguments.enjamb)
    if enjamb is None:
        fail_usage(f"--enjamb {arguments.enjamb}: there is no such program")
    captures = list_captures(enjamb, arguments)
    if len(set(captures)) < len(captures):
        twice = next(capture for capture in captures if captures.count(capture) > 1)
        fail_usage(f"{twice} is named twice, and would be counted twice")
    out = os.path.abspath(arguments.out)
    if os.path.exists(out) and (not os.path.isdir(out) or os.listdir(out)):
        fail_usage(f"--out {arguments.out}: a dataset needs a new directory, or an empty one")
    attempts = os.path.join(out, ATTEMPTS)
    os.makedirs(attempts)

    context = SparkContext(conf=spark_configuration(arguments))
    try:
        reports = replay_all(context, enjamb, captures, attempts, arguments.replay)
        summary = merge_summaries(context, reports)
    except Exception as error:
        shutil.rmtree(attempts, ignore_errors=True)
        print(f"replay_job: Spark gave up: {error}", file=sys.stderr)
        sys.exit(NOTHING_READ)
    finally:
        context.stop()
    publish(out, reports, summary)
    print_report(arguments.out, reports, summary)
    if summary is None or all(report.get("code") == NOTHING_READ for report in reports):
        sys.exit(NOTHING_READ)
    if any("failed" in report for report in reports):
        sys.exit(FOUND_WANTING)


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Replays captures on a Spark cluster: one task per capture, one dataset and one summary of all.",
        epilog="Exit codes: 0 done; 1 a capture failed in every attempt; 2 wrong usage; "
        "3 nothing could be read, or Spark gave up.",
    )
    parser.add_argument(
        "captures",
        nargs="+",
        metavar="CAPTURE",
        help="files, directories and patterns, as for enjamb replay",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="the dataset: a new or empty directory that all executors can access",
    )
    parser.add_argument(
        "--enjamb",
        default="enjamb",
        metavar="PATH",
        help="the program, which is sent to the executors [default: the one in PATH]",
    )
    parser.add_argument(
        "--master",
        help="the cluster, unless spark-submit sets it: 'local[8]' runs 8 tasks at a time on this machine",
    )
    parser.add_argument(
        "--replay",
        action="append",
        default=[],
        metavar="OPTION",
        help="an option for enjamb replay, such as --replay=--protocol=redis; may be given more than once",
    )
    return parser.parse_args()


def fail_usage(reason):
    """Prints the reason and exits with the code for wrong usage."""
    print(f"replay_job: {reason}", file=sys.stderr)
    sys.exit(WRONG_USAGE)


def list_captures(enjamb, arguments):
    """Expands the arguments to captures with `enjamb replay --list`.

    That also checks the options for `enjamb replay` before any work starts. What cannot be read is
    named by `enjamb replay` on standard error, and left out.
    """
    options = ["--list", "--jobs", "1", "--format", "parquet", "--out", arguments.out, *arguments.replay]
    child = subprocess.run([enjamb, "replay", *options, "--", *arguments.captures], stdout=subprocess.PIPE, check=False)
    captures = os.fsdecode(child.stdout).splitlines()
    if child.returncode != 0 and not (child.returncode == NOTHING_READ and captures):
        sys.exit(child.returncode)
    if "standard input" in captures:
        fail_usage("tasks cannot read standard input")
    if not captures:
        print("replay_job: there is no capture", file=sys.stderr)
        sys.exit(NOTHING_READ)
    return captures


def spark_configuration(arguments):
    conf = SparkConf().setAppName("enjamb replay")
    # Without the option, spark-submit has set the master.
    if arguments.master:
        conf.setMaster(arguments.master)
    if conf.get("spark.master", "").startswith("local"):
        # No other host connects to a driver that runs everything itself.
        conf.setIfMissing("spark.driver.host", "127.0.0.1")
        conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1")
        conf.setIfMissing("spark.ui.enabled", "false")
    return conf


def attempts_max(context):
    """Returns how many attempts Spark allows a task: one on `local[N]`, and F on `local[N,F]`."""
    master = context.master
    if master.startswith("local"):
        inside = master.partition("[")[2].rstrip("]").split(",")
        return int(inside[1]) if len(inside) == 2 else 1
    return int(context.getConf().get("spark.task.maxFailures", "4"))


def replay_all(context, enjamb, captures, attempts, options):
    """Replays all captures, one task each. Returns a report per capture, in their order."""
    here = os.path.dirname(os.path.abspath(__file__))
    for module in ("summaries.py", "capture_task.py"):
        context.addPyFile(os.path.join(here, module))
    context.addFile(enjamb)
    settings = {
        "enjamb": os.path.basename(enjamb),
        "attempts": attempts,
        "options": options,
        "attempts_max": attempts_max(context),
    }
    # The largest captures start first: one that started last would keep the whole job waiting.
    work = sorted(enumerate(captures), key=lambda it: -file_size(it[1]))
    tasks = context.parallelize(work, len(work))
    reports = tasks.map(lambda it: capture_task.replay(*it, settings)).collect()
    return sorted(reports, key=lambda report: report["number"])


def file_size(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def merge_summaries(context, reports):
    """Merges the summaries of all captures that were replayed. Returns None if there are none."""
    replayed = [report for report in reports if "failed" not in report]
    slices = max(min(len(replayed), context.defaultParallelism), 1)
    total = None
    for part in context.parallelize(replayed, slices).mapPartitions(capture_task.merge_partition).collect():
        total = summaries.merge(total, part)
    return total and summaries.finish(total)


def publish(out, reports, summary):
    """Moves the files of the reported attempts into the dataset, then writes the summary."""
    for report in reports:
        report["parts"] = [] if "failed" in report else move_parts(out, report)
    with open(os.path.join(out, CAPTURES), "w", encoding="utf-8") as file:
        for report in reports:
            fields = ("capture", "code", "stderr", "failed", "parts")
            file.write(json.dumps({name: report[name] for name in fields if name in report}) + "\n")
    shutil.rmtree(os.path.join(out, ATTEMPTS))
    unfinished = os.path.join(out, "._summary.json.unfinished")
    with open(unfinished, "w", encoding="utf-8") as file:
        json.dump(summary, file, indent=2, ensure_ascii=False)
        file.write("\n")
    os.rename(unfinished, os.path.join(out, capture_task.SUMMARY))


def move_parts(out, report):
    """Moves the files of an attempt to their partitions. Returns their names in the dataset.

    A hash of the capture in each name keeps the files of different captures apart.
    """
    prefix = f"part-{capture_task.capture_id(report['capture'])}-"
    parts = []
    for partition in sorted(os.listdir(report["attempt"])):
        folder = os.path.join(report["attempt"], partition)
        if not partition.startswith("protocol="):
            continue
        os.makedirs(os.path.join(out, partition), exist_ok=True)
        for name in sorted(os.listdir(folder)):
            part = os.path.join(partition, name.replace("part-", prefix, 1))
            os.rename(os.path.join(folder, name), os.path.join(out, part))
            parts.append(part)
    return parts


def print_report(out, reports, summary):
    """Prints the totals, and on standard error the captures that failed or are damaged."""
    wrong = [report for report in reports if report.get("failed") or report.get("stderr")]
    for report in wrong[:NAMED_MAX]:
        reason = f"{report['capture']}: {report['failed']}" if "failed" in report else report["stderr"]
        print(f"replay_job: {reason}", file=sys.stderr)
    if len(wrong) > NAMED_MAX:
        more = len(wrong) - NAMED_MAX
        print(f"replay_job: and {more} more, which are in {os.path.join(out, CAPTURES)}", file=sys.stderr)
    if summary is not None:
        messages = summary["client"]["messages"] + summary["server"]["messages"]
        print(
            f"{len(reports)} captures ({len(wrong)} damaged or failed), "
            f"{summary['connections']} connections, {messages} messages in {out}"
        )


if __name__ == "__main__":
    main()
