//! The command: signals in, lines on standard error out.

use std::process::ExitCode;

use anyhow::Context;
use enjamb_protocols::Registry;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::arguments::Arguments;
use crate::notices::{notice, say};
use crate::proxy::{Proxy, Report, StartError};

/// Exit code for wrong usage.
const WRONG_USAGE: u8 = 2;

/// Exit code when it could not listen, or could not open a file.
const COULD_NOT_START: u8 = 3;

/// Relays until SIGINT or SIGTERM, and gives 0 then; 2 is wrong usage, 3 is an address or a file that could not be had. SIGUSR1
/// shows the statistics.
///
/// # Errors
/// The system gives no threads or no signals.
pub fn run(arguments: &Arguments, registry: &Registry) -> anyhow::Result<ExitCode> {
    let configuration = match arguments.configuration(registry) {
        Ok(configuration) => configuration,
        Err(error) => {
            notice(format_args!("{error}"));
            return Ok(ExitCode::from(WRONG_USAGE));
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting threads")?;
    let upstream = configuration.upstream.clone();
    runtime.block_on(async {
        let mut signals = Signals::new().context("listening to signals")?;
        let mut proxy = match Proxy::start(configuration).await {
            Ok(proxy) => proxy,
            Err(error) => {
                notice(format_args!("{error}"));
                let code = if matches!(error, StartError::Usage(_)) { WRONG_USAGE } else { COULD_NOT_START };
                return Ok(ExitCode::from(code));
            }
        };
        for address in proxy.addresses() {
            say(format_args!("listening on {address}, relaying to {upstream}"));
        }
        let served = signals.obey(&mut proxy).await;
        show(&proxy.finish(served));
        Ok(ExitCode::SUCCESS)
    })
}

fn show(report: &Report) {
    let Report { served, statistics, log_dropped, recording } = report;
    say(format_args!("{statistics}"));
    if served.stopped > 0 {
        notice(format_args!("{} connections were reset, since they were open still", served.stopped));
    }
    if served.panics > 0 {
        notice(format_args!("the watching of {} connections failed", served.panics));
    }
    if *log_dropped > 0 {
        notice(format_args!("the log lacks {log_dropped} records: it was not written as fast as they came"));
    }
    for shortcoming in recording {
        notice(format_args!("{shortcoming}"));
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    show: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            show: signal(SignalKind::user_defined1())?,
        })
    }

    /// Until the proxy has ended.
    async fn obey(&mut self, proxy: &mut Proxy) -> enjamb_net::Served {
        let stop = proxy.stop();
        let mut stopping = false;
        loop {
            tokio::select! {
                served = proxy.ended() => return served,
                _ = self.show.recv() => {
                    say(format_args!("{}", proxy.statistics()));
                    continue;
                }
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
            if std::mem::replace(&mut stopping, true) {
                stop.now();
            } else {
                stop.drain();
            }
        }
    }
}
