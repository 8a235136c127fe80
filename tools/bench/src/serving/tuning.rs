//! The advice of `asynchat`'s users, measured: sizes of buffers, text or bytes, many pushes or one,
//! work in the handler or in a task, and what watches the sockets.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use super::load::Load;
use super::process::ServerProcess;
use super::server::{Program, Server, server};
use crate::measure::median;
use crate::scale::Scale;

mod plot;

use plot::Plot;

/// A measurement: a server, and the place of its result on the axis.
struct Point {
    series: &'static str,
    label: String,
    server: Server,
    arguments: Vec<String>,
    load: Load,
    /// Connections that do nothing meanwhile.
    idle: usize,
}

impl Point {
    fn own(series: &'static str, label: impl Into<String>, mode: impl Into<String>, load: Load) -> Self {
        let server = server("enjamb", "", Program::Own("tuned"));
        Self { series, label: label.into(), server, arguments: vec![mode.into()], load, idle: 0 }
    }
}

/// A question, and the measurements that answer it.
struct Question {
    name: &'static str,
    title: &'static str,
    axis: &'static str,
    is_line: bool,
    points: Vec<Point>,
}

const LINES: Load = Load::Redis { test: "ping_inline", ahead: 16 };

fn questions(scale: Scale) -> Vec<Question> {
    let sizes = (9..=18).map(|power| 1_usize << power);
    let label = |size: usize| if size < 1024 { format!("{size} B") } else { format!("{} KiB", size / 1024) };
    let buffer = |series, length| {
        let sizes = sizes.clone();
        sizes.map(move |size| Point::own(series, label(size), format!("buffer={size}"), Load::Bulk { length }))
    };
    let idle = [0, 100, 300, 900].map(|idle| idle / scale.load_divisor as usize);
    let polling = |series, program| {
        idle.map(|idle| Point {
            series,
            label: idle.to_string(),
            server: server(series, "", program),
            arguments: Vec::new(),
            load: Load::Redis { test: "ping_inline", ahead: 1 },
            idle,
        })
    };
    vec![
        Question {
            name: "buffers",
            title: "Size of the read and the write buffer",
            axis: "MB/s of lines that are echoed",
            is_line: true,
            points: buffer("lines of 100 bytes", 100).chain(buffer("lines of 100 KB", 100_000)).collect(),
        },
        Question {
            name: "text",
            title: "Frames as bytes, or as text that is checked to be UTF-8",
            axis: "requests/s",
            is_line: false,
            points: vec![Point::own("", "bytes", "bytes", LINES), Point::own("", "text", "text", LINES)],
        },
        Question {
            name: "pushes",
            title: "A reply of 1,003 bytes in 102 pushes, or in one",
            axis: "requests/s",
            is_line: false,
            points: vec![Point::own("", "102 pushes", "pieces", LINES), Point::own("", "one push", "piece", LINES)],
        },
        Question {
            name: "tasks",
            title: "The reply made in the handler, or in a task for each request",
            axis: "requests/s",
            is_line: false,
            points: vec![Point::own("", "in the handler", "bytes", LINES), Point::own("", "in a task", "task", LINES)],
        },
        Question {
            name: "polling",
            title: "Connections at rest, and what watches them",
            axis: "requests/s of 50 busy connections",
            is_line: true,
            points: polling("asynchat, select", Program::Python("asynchatselect-echo"))
                .into_iter()
                .chain(polling("asynchat, poll", Program::Python("asynchat-echo")))
                .chain(polling("enjamb, epoll", Program::Own("enjamb-echo")))
                .collect(),
        },
    ]
}

/// The names of the questions.
pub(crate) const NAMES: [&str; 5] = ["buffers", "text", "pushes", "tasks", "polling"];

/// Measures the question `name`, prints its table, and draws its plot into `folder`.
pub(crate) fn measure(
    name: &str,
    scale: Scale,
    rounds: u32,
    folder: Option<&Path>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let Some(question) = questions(scale).into_iter().find(|question| question.name == name) else { return Ok(()) };
    let mut values: Vec<Vec<f64>> = question.points.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (point, values) in question.points.iter().zip(&mut values) {
            let Some(process) = ServerProcess::start(&point.server, &point.arguments)? else { continue };
            let idle: Vec<_> =
                (0..point.idle).map(|_| TcpStream::connect(process.address)).collect::<Result<_, _>>()?;
            values.push(point.load.run(&process, scale)?.value);
            drop(idle);
        }
    }
    let results: Vec<_> = question.points.iter().zip(values).filter(|(_, values)| !values.is_empty()).collect();
    writeln!(out, "### {name}\n\n{}\n", question.title)?;
    writeln!(out, "| {:<20} | {:<16} | {:>10} | {}", "", "", "median", question.axis)?;
    writeln!(out, "|----------------------|------------------|-----------:|---")?;
    for (point, values) in &results {
        let series = if point.series.is_empty() { "enjamb" } else { point.series };
        writeln!(out, "| {series:<20} | {:<16} | {:>10.0} |", point.label, median(values.clone()))?;
    }
    writeln!(out)?;
    out.flush()?;
    if let Some(folder) = folder {
        let points = results.iter().map(|(point, values)| (point.series, point.label.as_str(), median(values.clone())));
        let plot =
            Plot { title: question.title, axis: question.axis, is_line: question.is_line, points: points.collect() };
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(format!("{name}.svg")), plot.svg())?;
    }
    Ok(())
}
