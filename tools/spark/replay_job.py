"""Replays captures on a Spark cluster: one task a capture, one dataset and one summary of all.

    spark-submit tools/spark/replay_job.py --out /data/records /data/captures
    python tools/spark/replay_job.py --master 'local[8]' --out records captures

The dataset is that of `enjamb replay --format parquet`: docs/scale.md has its schema, and says when to use which. Captures and the dataset are paths that the
driver and every executor see, on a file system that they share. `enjamb` itself is sent to the executors.

A capture is replayed whole by one task. What a connection says depends on all that came before on it, in both directions, so it cannot be cut in two
and read by two tasks. A connection that goes on in another capture is two connections there, as it is for one `enjamb replay` over both.
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

# Directories in a dataset that begin so are passed over by its readers.
ATTEMPTS = "_attempts"
CAPTURES = "_captures.jsonl"

# How many captures that are not whole are told on standard error. All are in the dataset.
TOLD_MAX = 100

# Options of enjamb replay that would not mean in each run what they mean in one.
OPTIONS_OF_ONE_RUN = ("--conn", "--html")

FOUND_WANTING = 1
WRONG_USAGE = 2
NOTHING_READ = 3


def main():
    arguments = parsed()
    for option in arguments.replay:
        if not option.startswith("--"):
            sys.exit(refused(f"--replay={option}: expected a long option with its value, as in --replay=--protocol=redis"))
        if option.split("=")[0] in OPTIONS_OF_ONE_RUN:
            sys.exit(refused(f"--replay={option}: there is a run for each capture, and this is about one of all"))
    enjamb = shutil.which(arguments.enjamb)
    if enjamb is None:
        sys.exit(refused(f"--enjamb {arguments.enjamb}: there is no such program here"))
    captures = listed(enjamb, arguments)
    if len(set(captures)) < len(captures):
        twice = next(capture for capture in captures if captures.count(capture) > 1)
        sys.exit(refused(f"{twice} is named twice, and would be counted twice"))
    out = os.path.abspath(arguments.out)
    if os.path.exists(out) and (not os.path.isdir(out) or os.listdir(out)):
        sys.exit(refused(f"--out {arguments.out}: a dataset is written to a new directory, or to one that is empty"))
    attempts = os.path.join(out, ATTEMPTS)
    os.makedirs(attempts)

    context = SparkContext(conf=configured(arguments))
    try:
        reports = replayed(context, enjamb, captures, attempts, arguments.replay)
        summary = summed(context, reports)
    except Exception as error:
        shutil.rmtree(attempts, ignore_errors=True)
        print(f"replay_job: Spark gave up: {error}", file=sys.stderr)
        sys.exit(NOTHING_READ)
    finally:
        context.stop()
    published(out, reports, summary)
    told(arguments.out, reports, summary)
    if summary is None or all(report.get("code") == NOTHING_READ for report in reports):
        sys.exit(NOTHING_READ)
    if any("failed" in report for report in reports):
        sys.exit(FOUND_WANTING)


def parsed():
    parser = argparse.ArgumentParser(
        description="Replays captures on a Spark cluster: one task a capture, one dataset and one summary of all.",
        epilog="Exit codes: 0 done; 1 a capture could not be replayed, however often it was tried; 2 wrong usage; 3 nothing could be read, or Spark gave up.",
    )
    parser.add_argument("captures", nargs="+", metavar="CAPTURE", help="files, directories and patterns, as enjamb replay takes them")
    parser.add_argument("--out", required=True, metavar="DIR", help="the dataset: a new directory, or an empty one, that all executors see")
    parser.add_argument("--enjamb", default="enjamb", metavar="PATH", help="the program, which is sent to the executors [default: the one in PATH]")
    parser.add_argument("--master", help="the cluster, unless spark-submit says it: 'local[8]' is this machine")
    parser.add_argument(
        "--replay",
        action="append",
        default=[],
        metavar="OPTION",
        help="an option for enjamb replay, such as --replay=--protocol=redis; may be given more than once",
    )
    return parser.parse_args()


def refused(why):
    print(f"replay_job: {why}", file=sys.stderr)
    return WRONG_USAGE


def listed(enjamb, arguments):
    """What the arguments stand for, as `enjamb replay` sees it. It refuses options that it does not take before anything is begun."""
    options = ["--list", "--jobs", "1", "--format", "parquet", "--out", arguments.out, *arguments.replay]
    child = subprocess.run([enjamb, "replay", *options, "--", *arguments.captures], stdout=subprocess.PIPE, check=False)
    if child.returncode != 0:
        sys.exit(child.returncode)
    found = os.fsdecode(child.stdout).splitlines()
    if "standard input" in found:
        sys.exit(refused("standard input cannot be shared out among tasks"))
    if not found:
        print("replay_job: there is no capture", file=sys.stderr)
        sys.exit(NOTHING_READ)
    return found


def configured(arguments):
    conf = SparkConf().setAppName("enjamb replay")
    # Otherwise it comes from spark-submit.
    if arguments.master:
        conf.setMaster(arguments.master)
    if conf.get("spark.master", "").startswith("local"):
        # Nobody else has anything to ask of it.
        conf.setIfMissing("spark.driver.host", "127.0.0.1")
        conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1")
        conf.setIfMissing("spark.ui.enabled", "false")
    return conf


def tries(context):
    """How often Spark tries a task. On `local[N]` that is once, and on `local[N,F]` F times."""
    master = context.master
    if master.startswith("local"):
        inside = master.partition("[")[2].rstrip("]").split(",")
        return int(inside[1]) if len(inside) == 2 else 1
    return int(context.getConf().get("spark.task.maxFailures", "4"))


def replayed(context, enjamb, captures, attempts, options):
    """A report of each capture, in their order."""
    here = os.path.dirname(os.path.abspath(__file__))
    for module in ("summaries.py", "capture_task.py"):
        context.addPyFile(os.path.join(here, module))
    context.addFile(enjamb)
    settings = {
        "enjamb": os.path.basename(enjamb),
        "attempts": attempts,
        "options": options,
        "tries": tries(context),
    }
    # The largest first: one that is begun last is waited for by all.
    work = sorted(enumerate(captures), key=lambda it: -size(it[1]))
    tasks = context.parallelize(work, len(work))
    reports = tasks.map(lambda it: capture_task.replay(*it, settings)).collect()
    return sorted(reports, key=lambda report: report["number"])


def size(capture):
    try:
        return os.stat(capture).st_size
    except OSError:
        return 0


def summed(context, reports):
    """The summaries of all that were replayed as one."""
    done = [report for report in reports if "failed" not in report]
    slices = max(min(len(done), context.defaultParallelism), 1)
    total = None
    for part in context.parallelize(done, slices).mapPartitions(capture_task.merged).collect():
        total = summaries.merge(total, part)
    return total and summaries.finished(total)


def published(out, reports, summary):
    """Gives the files of the attempts that were reported their place in the dataset, and writes the summary when all have it."""
    for report in reports:
        report["parts"] = [] if "failed" in report else moved(out, report)
    with open(os.path.join(out, CAPTURES), "w", encoding="utf-8") as file:
        for report in reports:
            shown = {name: report[name] for name in ("capture", "code", "said", "failed", "parts") if name in report}
            file.write(json.dumps(shown) + "\n")
    shutil.rmtree(os.path.join(out, ATTEMPTS))
    unfinished = os.path.join(out, "._summary.json.unfinished")
    with open(unfinished, "w", encoding="utf-8") as file:
        json.dump(summary, file, indent=2, ensure_ascii=False)
        file.write("\n")
    os.rename(unfinished, os.path.join(out, capture_task.SUMMARY))


def moved(out, report):
    """The files of an attempt, each now in its partition under a name that is the capture's own."""
    parts = []
    for partition in sorted(os.listdir(report["attempt"])):
        folder = os.path.join(report["attempt"], partition)
        if not partition.startswith("protocol="):
            continue
        os.makedirs(os.path.join(out, partition), exist_ok=True)
        for name in sorted(os.listdir(folder)):
            part = os.path.join(partition, name.replace("part-", f"part-{capture_task.identity(report['capture'])}-", 1))
            os.rename(os.path.join(folder, name), os.path.join(out, part))
            parts.append(part)
    return parts


def told(out, reports, summary):
    """Says what came of it: what was wrong on standard error."""
    wrong = [report for report in reports if report.get("failed") or report.get("said")]
    for report in wrong[:TOLD_MAX]:
        what = f"{report['capture']}: {report['failed']}" if "failed" in report else report["said"]
        print(f"replay_job: {what}", file=sys.stderr)
    if len(wrong) > TOLD_MAX:
        print(f"replay_job: and {len(wrong) - TOLD_MAX} more, which are in {os.path.join(out, CAPTURES)}", file=sys.stderr)
    if summary is not None:
        messages = summary["client"]["messages"] + summary["server"]["messages"]
        print(f"{len(reports)} captures, {len(wrong)} of them not whole, {summary['connections']} connections, {messages} messages in {out}")


if __name__ == "__main__":
    main()
