//! The command: it runs a proxy until a signal ends it, and writes lines to standard error.

use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::Context;
use enjamb_protocols::Registry;
use enjamb_sources::Exit;
use tokio::runtime::Builder;

use crate::arguments::Arguments;
use crate::authority::{ProxyCommand, make_authority};
use crate::configuration::{Configuration, Route};
use crate::fault_list::list_faults;
use crate::losses::{LogLosses, RecordingLosses};
use crate::notices::{Notices, print};
use crate::proxy::{Proxy, Report, Status};
use crate::shaping::compile;
use crate::signals::{Reload, Signals, print_addresses};

/// The files that the proxy has open beside the sockets of its connections.
const FILES_OF_THE_PROXY: u64 = 64;

/// Relays until SIGINT or SIGTERM, then returns [`Exit::Done`], or [`Exit::FoundWanting`] if the
/// log or the recording lacks something. Returns [`Exit::WrongUsage`] for wrong usage, and
/// [`Exit::Unavailable`] when an address or a file cannot be used. On SIGUSR1 it prints the
/// statistics.
///
/// Signals have a thread of their own: they are handled even if every thread of the relay hangs.
///
/// # Errors
/// The system gives no threads or no signals.
pub fn run(arguments: &Arguments, registry: &Registry) -> anyhow::Result<Exit> {
    let notices = Notices::new(&arguments.program());
    if let Some(ProxyCommand::Ca { dir }) = &arguments.command {
        return Ok(make_ca(dir, &notices));
    }
    if arguments.list_faults {
        print_to_standard_output(&list_faults());
        return Ok(Exit::Done);
    }
    let configuration = match arguments.configuration(registry) {
        Ok(configuration) => configuration,
        Err(error) => {
            notices.notice(format_args!("{error}"));
            return Ok(Exit::WrongUsage);
        }
    };
    if arguments.check {
        return Ok(check(&configuration, &notices));
    }
    let relay = Builder::new_multi_thread().enable_all().build().context("starting threads")?;
    let control = Builder::new_current_thread().enable_all().build().context("starting threads")?;
    let max_connections = configuration.options.max_connections;
    let code = control.block_on(async {
        let reload = arguments.config.is_some().then(|| -> Reload {
            let (arguments, registry) = (arguments.clone(), registry.clone());
            Box::new(move || arguments.read_routes(&registry))
        });
        let mut signals = Signals::new(reload, notices.clone()).context("listening to signals")?;
        let starting = relay.spawn(Proxy::start(configuration));
        let started = tokio::select! {
            started = starting => started.context("starting the proxy")?,
            // A file may be a named pipe that nobody reads.
            () = signals.interrupted() => {
                notices.notice(format_args!("ended by a signal before it had started"));
                return Ok(Exit::Unavailable);
            }
        };
        let mut proxy = match started {
            Ok(proxy) => proxy,
            Err(error) => {
                notices.notice(format_args!("{error}"));
                return Ok(if error.is_wrong_usage() { Exit::WrongUsage } else { Exit::Unavailable });
            }
        };
        print_addresses(&proxy, &notices);
        raise_file_limit(max_connections, &notices);
        let report = signals.relay_until_stopped(&mut proxy, print_status).await;
        let report = signals.finish(proxy, report, print_status).await;
        print_report(&report, &notices);
        Ok(if report.is_complete() { Exit::Done } else { Exit::FoundWanting })
    });
    // Threads that hang are left behind.
    relay.shutdown_background();
    control.shutdown_background();
    code
}

fn make_ca(folder: &Path, notices: &Notices) -> Exit {
    match make_authority(folder) {
        Ok(text) => {
            print_to_standard_output(&text);
            Exit::Done
        }
        Err(error) => {
            notices.notice(format_args!("cannot make an authority: {error}"));
            if error.kind() == ErrorKind::AlreadyExists { Exit::WrongUsage } else { Exit::Unavailable }
        }
    }
}

fn print_report(report: &Report, notices: &Notices) {
    let Report { relay, statistics, faults, handlers, is_log_cut, is_recording_cut, .. } = report;
    print(format_args!("{statistics}"));
    if relay.stopped > 0 {
        notices.notice(format_args!("connections that were still open, and were reset: {}", relay.stopped));
    }
    if relay.unconnected > 0 {
        notices.notice(format_args!("clients for which the server could not be reached: {}", relay.unconnected));
    }
    if relay.handshakes_failed > 0 {
        notices.notice(format_args!("connections of which a TLS handshake failed: {}", relay.handshakes_failed));
    }
    if relay.panics > 0 {
        notices.notice(format_args!("taps that panicked: {}", relay.panics));
    }
    if *faults > 0 {
        notices.notice(format_args!("faults that were applied: {faults}"));
    }
    for phrase in handlers.phrases().into_iter().chain(losses(report.log_losses, report.recording_losses)) {
        notices.notice(format_args!("{phrase}"));
    }
    if *is_log_cut {
        notices.notice(format_args!("the end of the log was not written"));
    }
    if *is_recording_cut {
        notices.notice(format_args!("the end of the recording was not written"));
    }
}

fn print_status(status: &Status) {
    print(format_args!("{}", status.statistics()));
    if status.unconnected() > 0 {
        print(format_args!("clients for which the server could not be reached: {}", status.unconnected()));
    }
    if status.handshake_failures() > 0 {
        print(format_args!("connections of which a TLS handshake failed: {}", status.handshake_failures()));
    }
    if status.faults() > 0 {
        print(format_args!("faults that were applied: {}", status.faults()));
    }
    for phrase in status.handlers().phrases().into_iter().chain(losses(status.log_losses(), status.recording_losses()))
    {
        print(format_args!("{phrase}"));
    }
}

/// Returns phrases for people about what the log and the recording lack.
fn losses(log: LogLosses, recording: RecordingLosses) -> Vec<String> {
    let log = (!log.is_empty()).then(|| format!("the log lacks {log}"));
    let recording = (!recording.is_empty()).then(|| format!("the recording lacks {recording}"));
    log.into_iter().chain(recording).collect()
}

/// Raises the number of files that the process may have open, as far as the system allows, and
/// writes a notice if that is too low.
fn raise_file_limit(max_connections: NonZeroUsize, notices: &Notices) {
    let max = max_connections.get() as u64;
    // Two sockets for a connection.
    let needed = max.saturating_mul(2).saturating_add(FILES_OF_THE_PROXY);
    let limit = rlimit::Resource::NOFILE;
    let Ok((soft, hard)) = limit.get() else { return };
    let wanted = needed.max(soft).min(hard);
    let soft = if wanted > soft && limit.set(wanted, hard).is_ok() { wanted } else { soft };
    if soft < needed {
        let possible = soft.saturating_sub(FILES_OF_THE_PROXY) / 2;
        notices.notice(format_args!(
            "only {soft} files may be open (ulimit -n), which is enough for {possible} connections, not for the {max} of \
             --max-connections"
        ));
    }
}

/// Checks what can be checked without starting anything.
fn check(configuration: &Configuration, notices: &Notices) -> Exit {
    for Route { name, faults, .. } in &configuration.routes {
        let expressions = faults.iter().filter_map(|fault| fault.effect.select()?.expression.as_deref());
        for expression in expressions {
            if let Err(error) = compile(&configuration.registry, expression) {
                notices.notice(format_args!("proxy {name}: match: {error}"));
                return Exit::WrongUsage;
            }
        }
    }
    let count = configuration.routes.len();
    notices
        .notice(format_args!("the configuration is valid: {count} {}", if count == 1 { "proxy" } else { "proxies" }));
    Exit::Done
}

fn print_to_standard_output(text: &str) {
    // Nobody may be reading.
    let _ = std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes());
}
