//! The signals that the command handles.
//!
//! A proxy is in the path of others, so a signal that means nothing to it must not end it. Those
//! that nobody sends without meaning it, such as SIGQUIT and SIGABRT, keep their effect.

use enjamb_net::relay::RelayReport;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::configuration::Route;
use crate::notices::{Notices, print};
use crate::proxy::{Proxy, Report, Status};
use crate::routes::Routes;

/// The signals that the command handles.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    status: Signal,
    hangup: Signal,
    /// Signals without a meaning. They are caught, so that they do not end the process.
    _ignored: Vec<Signal>,
    /// The number of signals to end so far.
    stops: u32,
    reload: Option<Reload>,
    notices: Notices,
}

/// Reads the routes of the configuration again.
pub(crate) type Reload = Box<dyn Fn() -> Result<Vec<Route>, String> + Send + Sync>;

impl Signals {
    /// Begins to handle signals. `reload` reads the routes again, if a file has them.
    pub(crate) fn new(reload: Option<Reload>, notices: Notices) -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            status: signal(SignalKind::user_defined1())?,
            hangup: signal(SignalKind::hangup())?,
            // Some systems do not have all of them.
            _ignored: ignored().filter_map(|number| signal(SignalKind::from_raw(number)).ok()).collect(),
            stops: 0,
            reload,
            notices,
        })
    }

    /// Waits for the first signal to end.
    pub(crate) async fn interrupted(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits for the next signal to end, and handles the others before it.
    async fn stop(&mut self, status: &Status, routes: &Routes, print_status: fn(&Status)) {
        loop {
            tokio::select! {
                _ = self.status.recv() => print_status(status),
                _ = self.hangup.recv() => {
                    self.reopen(status).await;
                    self.reload(routes).await;
                }
                _ = self.interrupt.recv() => break,
                _ = self.terminate.recv() => break,
            }
        }
        self.stops += 1;
    }

    async fn reload(&self, routes: &Routes) {
        let Some(reload) = &self.reload else { return };
        let reloaded = match reload() {
            Ok(read) => routes.reload(read).await.map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        match reloaded {
            Ok(()) => self.notices.notice(format_args!("read the configuration again")),
            Err(error) => self.notices.notice(format_args!("the old configuration stays: {error}")),
        }
    }

    async fn reopen(&self, status: &Status) {
        let status = status.clone();
        match tokio::task::spawn_blocking(move || status.reopen()).await {
            Ok(Ok(false)) if self.reload.is_some() => {}
            Ok(Ok(false)) => self.notices.notice(format_args!("there is no file to open again")),
            Ok(Ok(true)) => self.notices.notice(format_args!("opened the log and the recording again")),
            Ok(Err(error)) => self.notices.notice(format_args!("the old file is written on: {error}")),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Waits until the relay has ended. The first signal stops it gently, the second at once.
    pub(crate) async fn relay_until_stopped(&mut self, proxy: &mut Proxy, print_status: fn(&Status)) -> RelayReport {
        let (stop, status, routes) = (proxy.stop(), proxy.status(), proxy.routes());
        loop {
            tokio::select! {
                report = proxy.ended() => return report,
                () = self.stop(&status, &routes, print_status) => if self.stops > 1 { stop.now() } else { stop.drain() },
            }
        }
    }

    /// Finishes the proxy. A further signal ends the waiting.
    pub(crate) async fn finish(&mut self, proxy: Proxy, report: RelayReport, print_status: fn(&Status)) -> Report {
        let (status, routes) = (proxy.status(), proxy.routes());
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
                () = self.stop(&status, &routes, print_status) => hurry(),
            }
        }
    }
}

/// Returns the numbers of signals that would end the process and that mean nothing to it. SIGXFSZ
/// is among them: a file that has reached the limit of its size is an error of the write.
fn ignored() -> impl Iterator<Item = i32> {
    let named = [
        libc::SIGUSR2,
        libc::SIGALRM,
        libc::SIGPIPE,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGXCPU,
        libc::SIGXFSZ,
        libc::SIGIO,
    ];
    #[cfg(target_os = "linux")]
    let more = [libc::SIGPWR, libc::SIGSTKFLT].into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX());
    #[cfg(not(target_os = "linux"))]
    let more = std::iter::empty();
    named.into_iter().chain(more)
}

/// Writes a line for each address.
pub(crate) fn print_addresses(proxy: &Proxy, notices: &Notices) {
    for (address, upstream) in proxy.ends() {
        print(format_args!("listening on {address}, relaying to {upstream}"));
    }
    if let Some(address) = proxy.metrics_address() {
        print(format_args!("metrics at http://{address}/metrics"));
    }
    if let Some(address) = proxy.api_address() {
        print(format_args!("API at http://{address}/proxies"));
    }
    for address in proxy.addresses().iter().filter(|address| !address.ip().is_loopback()) {
        notices.notice(format_args!("other machines can connect to {address}"));
    }
}
