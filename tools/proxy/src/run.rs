//! The command: it handles signals and writes lines to standard error.

use anyhow::Context;
use enjamb_net::relay::RelayReport;
use enjamb_protocols::Registry;
use enjamb_sources::Exit;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::arguments::Arguments;
use crate::notices::{Notices, print};
use crate::proxy::{Proxy, Report, Status};

/// Relays until SIGINT or SIGTERM, then returns [`Exit::Done`]. Returns [`Exit::WrongUsage`] for
/// wrong usage, and [`Exit::Unavailable`] when an address or a file cannot be used. On SIGUSR1 it
/// prints the statistics.
///
/// Signals have a thread of their own: they are handled even if every thread of the relay hangs.
///
/// # Errors
/// The system gives no threads or no signals.
pub fn run(arguments: &Arguments, registry: &Registry) -> anyhow::Result<Exit> {
    let notices = Notices::new(&arguments.program());
    let configuration = match arguments.configuration(registry) {
        Ok(configuration) => configuration,
        Err(error) => {
            notices.notice(format_args!("{error}"));
            return Ok(Exit::WrongUsage);
        }
    };
    let relay = Builder::new_multi_thread().enable_all().build().context("starting threads")?;
    let control = Builder::new_current_thread().enable_all().build().context("starting threads")?;
    let upstream = configuration.upstream.clone();
    let code = control.block_on(async {
        let mut signals = Signals::new().context("listening to signals")?;
        let started = relay.spawn(Proxy::start(configuration)).await.context("starting the proxy")?;
        let mut proxy = match started {
            Ok(proxy) => proxy,
            Err(error) => {
                notices.notice(format_args!("{error}"));
                return Ok(if error.is_wrong_usage() { Exit::WrongUsage } else { Exit::Unavailable });
            }
        };
        for address in proxy.addresses() {
            print(format_args!("listening on {address}, relaying to {upstream}"));
        }
        let report = signals.relay_until_stopped(&mut proxy).await;
        let report = signals.finish(proxy, report).await;
        print_report(&report, &notices);
        Ok(Exit::Done)
    });
    // Threads that hang are left behind.
    relay.shutdown_background();
    control.shutdown_background();
    code
}

fn print_report(report: &Report, notices: &Notices) {
    let Report { relay, statistics, handlers, log_dropped, is_log_cut, recording } = report;
    print(format_args!("{statistics}"));
    if relay.stopped > 0 {
        notices.notice(format_args!("connections that were still open, and were reset: {}", relay.stopped));
    }
    if relay.panics > 0 {
        notices.notice(format_args!("taps that panicked: {}", relay.panics));
    }
    for phrase in handlers.phrases() {
        notices.notice(format_args!("{phrase}"));
    }
    if *log_dropped > 0 {
        notices.notice(format_args!("the log lacks {log_dropped} records: it was not written as fast as they came"));
    }
    if *is_log_cut {
        notices.notice(format_args!("the end of the log was not written in time"));
    }
    for phrase in recording {
        notices.notice(format_args!("{phrase}"));
    }
}

fn print_status(status: &Status) {
    print(format_args!("{}", status.statistics()));
    for phrase in status.handlers().phrases() {
        print(format_args!("{phrase}"));
    }
}

/// The signals that the proxy handles.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    status: Signal,
    /// The number of signals to end so far.
    stops: u32,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            status: signal(SignalKind::user_defined1())?,
            stops: 0,
        })
    }

    /// Waits for the next signal to end, and prints the status for each SIGUSR1 before it.
    async fn stop(&mut self, status: &Status) {
        loop {
            tokio::select! {
                _ = self.status.recv() => print_status(status),
                _ = self.interrupt.recv() => break,
                _ = self.terminate.recv() => break,
            }
        }
        self.stops += 1;
    }

    /// Waits until the relay has ended. The first signal stops it gently, the second at once.
    async fn relay_until_stopped(&mut self, proxy: &mut Proxy) -> RelayReport {
        let (stop, status) = (proxy.stop(), proxy.status());
        loop {
            tokio::select! {
                report = proxy.ended() => return report,
                () = self.stop(&status) => if self.stops > 1 { stop.now() } else { stop.drain() },
            }
        }
    }

    /// Finishes the proxy. A further signal ends the waiting.
    async fn finish(&mut self, proxy: Proxy, report: RelayReport) -> Report {
        let status = proxy.status();
        let shutdown = proxy.into_shutdown();
        let hurry = shutdown.hurry();
        if self.stops > 1 {
            hurry();
        }
        let mut finished = tokio::task::spawn_blocking(move || shutdown.finish(report));
        loop {
            tokio::select! {
                finished = &mut finished => match finished {
                    Ok(report) => return report,
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                },
                () = self.stop(&status) => hurry(),
            }
        }
    }
}
