//! The routes of a proxy: they are made, changed, enabled, disabled and removed while it runs.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use enjamb_faults::{Fault, FaultError, Plan};
use enjamb_net::Stop;
use enjamb_net::relay::{Numbering, Options, Relay, RelayReport, Tls, Upstream};
use enjamb_protocols::{Protocol, Registry};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::configuration::Route;
use crate::error::StartError;
use crate::listen_socket::{ListenAddress, ListenSocket, UNIX};
use crate::listening::{bind_route, own_address};
use crate::recording::RecordingQueue;
use crate::shaping::{FaultShapers, compile};
use crate::shared::Shared;
use crate::taps::ProxyTaps;
use crate::workers::Workers;

/// The maximum number of routes.
pub(crate) const ROUTES_MAX: usize = 1024;

/// The time that the name of a server may take to be looked up. Other changes wait meanwhile.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The time that the connections of a route may go on after it accepts none any more. The proxy
/// itself ends them before that, when it stops.
const DRAIN_FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The reason why a route is not made or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RouteError {
    #[error("proxy not found")]
    NotFound,
    #[error("proxy already exists")]
    Exists,
    #[error("there are {ROUTES_MAX} proxies already, which is the limit")]
    TooMany,
    #[error("the proxy is stopping")]
    Stopping,
    #[error("toxic not found")]
    NoFault,
    #[error(transparent)]
    Fault(#[from] FaultError),
    #[error(transparent)]
    Start(#[from] StartError),
}

/// The parts that all routes share.
pub(crate) struct Common {
    pub(crate) shared: Arc<Shared>,
    pub(crate) workers: Option<Arc<Workers>>,
    pub(crate) recording: Option<RecordingQueue>,
    pub(crate) options: Options,
    pub(crate) tls_timeout: Duration,
    /// One of so many connections is parsed and recorded.
    pub(crate) sample: NonZeroU64,
    /// Whether connections may get faults although their route has none when they begin.
    pub(crate) may_change: bool,
}

/// The settings that decide about new routes.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) registry: Registry,
    pub(crate) wide: bool,
    /// The mode of the files of Unix sockets.
    pub(crate) unix_mode: u32,
    pub(crate) seed: u64,
}

/// All routes.
pub(crate) struct Routes {
    common: Common,
    settings: Settings,
    numbering: Numbering,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    routes: Vec<Entry>,
    /// The relays that accept nothing any more, and whose connections go on.
    retired: Vec<Running>,
    /// The counts of relays that have ended.
    report: RelayReport,
    is_stopping: bool,
}

/// A route, and its relay if it is enabled.
struct Entry {
    route: Route,
    plan: Arc<Plan>,
    addresses: Vec<ListenAddress>,
    running: Option<Running>,
    /// Whether it comes from the configuration, and not from the API.
    is_configured: bool,
}

struct Running {
    /// The listening sockets. The relay has copies, so that another one can take them over.
    sockets: Vec<ListenSocket>,
    stop: Stop,
    task: JoinHandle<RelayReport>,
}

/// A route that listens and relays nothing yet.
pub(crate) struct Bound {
    route: Route,
    plan: Arc<Plan>,
    /// `None`: it is not enabled.
    ends: Option<(Vec<ListenSocket>, Upstream)>,
    addresses: Vec<ListenAddress>,
}

impl Bound {
    /// Checks a route, looks its server up and listens. With `must_resolve`, the name of the server
    /// must be known.
    pub(crate) async fn new(mut route: Route, settings: &Settings, must_resolve: bool) -> Result<Self, RouteError> {
        if route.listen.is_empty() {
            return Err(StartError::Usage("there is no address to listen on".to_owned()).into());
        }
        let registry = settings.registry.clone();
        let plan = Arc::new(Plan::new(settings.seed, move |text| compile(&registry, text)));
        plan.set(std::mem::take(&mut route.faults))?;
        let mut bound = Self { route, plan, ends: None, addresses: Vec::new() };
        if bound.route.enabled {
            bound.listen(settings, must_resolve).await?;
        }
        Ok(bound)
    }

    async fn listen(&mut self, settings: &Settings, must_resolve: bool) -> Result<(), StartError> {
        let (ends, addresses) = open_ends(&self.route, settings, must_resolve).await?;
        self.ends = Some(ends);
        self.addresses = addresses;
        Ok(())
    }

    /// Checks the routes of a configuration, and listens for all of them.
    pub(crate) async fn all(routes: Vec<Route>, settings: &Settings) -> Result<Vec<Self>, StartError> {
        let mut all: Vec<Self> = Vec::with_capacity(routes.len());
        for route in routes {
            let name = route.name.clone();
            if all.iter().any(|other| other.route.name == name) {
                return Err(StartError::Usage(format!("two proxies have the name {name}")));
            }
            all.push(Self::new(route, settings, true).await.map_err(|error| match error {
                RouteError::Start(error) => error,
                error => StartError::Usage(error.to_string()),
            })?);
        }
        Ok(all)
    }

    /// Returns the addresses on which it listens, each with the server.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (ListenAddress, String)> {
        self.addresses.iter().map(|address| (address.clone(), self.route.server_text()))
    }
}

async fn open_ends(
    route: &Route,
    settings: &Settings,
    must_resolve: bool,
) -> Result<((Vec<ListenSocket>, Upstream), Vec<ListenAddress>), StartError> {
    let upstream = resolve(route, must_resolve).await?;
    let (sockets, addresses) = bind_route(&route.listen, settings.wide, settings.unix_mode).await?;
    let listening: Vec<_> = addresses.iter().filter_map(ListenAddress::tcp).collect();
    if let Some(address) = own_address(upstream.addresses(), &listening) {
        return Err(StartError::Usage(format!("it would relay to itself: it listens on {address}")));
    }
    if addresses.iter().any(|address| address.to_string() == route.upstream) {
        return Err(StartError::Usage(format!("it would relay to itself: it listens on {}", route.upstream)));
    }
    Ok(((sockets, upstream), addresses))
}

/// Looks a server up. With `must_resolve`, its name must be known.
async fn resolve(route: &Route, must_resolve: bool) -> Result<Upstream, StartError> {
    if !route.allow.is_empty() {
        return Ok(Upstream::named_by_clients(route.allow.iter().cloned()));
    }
    if let Some(path) = route.upstream.strip_prefix(UNIX) {
        return Ok(Upstream::unix(path));
    }
    let text = &route.upstream;
    let found = tokio::time::timeout(LOOKUP_TIMEOUT, Upstream::resolve(text)).await;
    match found.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
        Ok(upstream) => Ok(upstream),
        Err(error) if must_resolve || error.kind() == std::io::ErrorKind::InvalidInput => {
            Err(StartError::address(format!("the server {text}"), error))
        }
        // It is looked up again for every connection.
        Err(_) => Ok(Upstream::unresolved(text)),
    }
}

/// A route as it is now.
#[derive(Clone, Debug)]
pub(crate) struct RouteView {
    pub(crate) name: String,
    pub(crate) listen: String,
    pub(crate) upstream: String,
    pub(crate) protocol: Arc<Protocol>,
    pub(crate) enabled: bool,
    pub(crate) faults: Vec<Fault>,
}

/// A change of a route. What is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouteChange {
    pub(crate) listen: Option<String>,
    pub(crate) upstream: Option<String>,
    pub(crate) enabled: Option<bool>,
}

impl Routes {
    /// Starts to relay.
    pub(crate) fn start(common: Common, settings: Settings, bound: Vec<Bound>) -> Result<Self, StartError> {
        let routes = Self { common, settings, numbering: Numbering::default(), state: Mutex::default() };
        let entries = bound.into_iter().map(|bound| routes.run(bound, true)).collect::<Result<_, _>>()?;
        Ok(Self { state: Mutex::new(State { routes: entries, ..State::default() }), ..routes })
    }

    fn run(&self, bound: Bound, is_configured: bool) -> Result<Entry, StartError> {
        let Bound { route, plan, ends, addresses } = bound;
        let running = ends.map(|(sockets, upstream)| self.relay(&route, &plan, sockets, upstream));
        Ok(Entry { route, plan, addresses, running: running.transpose()?, is_configured })
    }

    fn relay(
        &self,
        route: &Route,
        plan: &Arc<Plan>,
        sockets: Vec<ListenSocket>,
        upstream: Upstream,
    ) -> Result<Running, StartError> {
        let listeners = sockets.iter().map(ListenSocket::listener).collect::<Result<Vec<_>, _>>();
        let listeners = listeners.map_err(|error| StartError::Io("cannot listen".to_owned(), error))?;
        let Common { shared, workers, recording, options, tls_timeout, sample, may_change } = &self.common;
        let protocol = &route.protocol;
        let taps =
            ProxyTaps::new(Arc::clone(protocol), Arc::clone(shared), workers.clone(), recording.clone(), *sample);
        let mut options = options.clone();
        options.drain = DRAIN_FOREVER;
        let mut relay = Relay::new(listeners, upstream)
            .with_options(options)
            .with_taps(Arc::new(taps))
            .with_numbering(self.numbering.clone());
        if let Some(tls) = &route.tls {
            let mut tls = Tls::clone(&tls.relay());
            tls.handshake_timeout = *tls_timeout;
            relay = relay.with_tls(Arc::new(tls));
        }
        if *may_change || !plan.faults().is_empty() {
            relay = relay.with_shapers(Arc::new(FaultShapers {
                plan: Arc::clone(plan),
                protocol: Arc::clone(protocol),
                shared: Arc::clone(shared),
                recording: recording.clone(),
            }));
        }
        let stop = Stop::new();
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { relay.serve(&stop).await }
        });
        Ok(Running { sockets, stop, task })
    }

    /// Returns the protocols that routes may name.
    pub(crate) fn registry(&self) -> &Registry {
        &self.settings.registry
    }

    /// Returns all routes, in the order in which they were made.
    pub(crate) async fn list(&self) -> Vec<RouteView> {
        self.state.lock().await.routes.iter().map(Entry::view).collect()
    }

    /// Returns a route and its faults.
    pub(crate) async fn get(&self, name: &str) -> Result<(RouteView, Arc<Plan>), RouteError> {
        let state = self.state.lock().await;
        let entry = state.entry(name)?;
        Ok((entry.view(), Arc::clone(&entry.plan)))
    }

    /// Makes a route.
    pub(crate) async fn create(&self, route: Route) -> Result<RouteView, RouteError> {
        let mut state = self.state.lock().await;
        if state.is_stopping {
            return Err(RouteError::Stopping);
        }
        if state.entry(&route.name).is_ok() {
            return Err(RouteError::Exists);
        }
        if state.routes.len() >= ROUTES_MAX {
            return Err(RouteError::TooMany);
        }
        let entry = self.run(Bound::new(route, &self.settings, false).await?, false)?;
        let view = entry.view();
        state.routes.push(entry);
        Ok(view)
    }

    /// Makes a route, or replaces one of the same name that has other addresses. One that has the
    /// same keeps its connections. Its faults are replaced if some are given.
    pub(crate) async fn populate(&self, route: Route) -> Result<RouteView, RouteError> {
        let old = self.get(&route.name).await.ok();
        if let Some((old, plan)) = old {
            let same_listen = route.listen.first() == Some(&old.listen);
            if same_listen && route.upstream == old.upstream {
                if !route.faults.is_empty() {
                    plan.set(route.faults)?;
                }
                let change = RouteChange { enabled: Some(route.enabled), ..RouteChange::default() };
                return self.update(&old.name, change).await;
            }
            self.remove(&route.name).await?;
        }
        self.create(route).await
    }

    /// Changes a route. Its connections end if its addresses change, or if it is disabled.
    pub(crate) async fn update(&self, name: &str, change: RouteChange) -> Result<RouteView, RouteError> {
        let mut guard = self.state.lock().await;
        let state = &mut *guard;
        if state.is_stopping {
            return Err(RouteError::Stopping);
        }
        let entry = state.routes.iter_mut().find(|entry| entry.route.name == name).ok_or(RouteError::NotFound)?;
        let view = entry.view();
        let mut route = entry.route.clone();
        if let Some(listen) = change.listen.filter(|listen| *listen != view.listen) {
            route.listen = vec![listen];
        }
        route.upstream = change.upstream.unwrap_or(route.upstream);
        route.enabled = change.enabled.unwrap_or(route.enabled);
        let is_moved = route.listen != entry.route.listen || route.upstream != entry.route.upstream;
        if is_moved || !route.enabled {
            // First, since it may listen on the same address again.
            if let Some(running) = entry.running.take() {
                state.report.add(running.end().await);
            }
        }
        if route.enabled && entry.running.is_none() {
            // A port that the system has chosen stays.
            if !is_moved && !entry.addresses.is_empty() {
                route.listen = entry.addresses.iter().map(ListenAddress::to_string).collect();
            }
            entry.route.enabled = false;
            let ((sockets, upstream), addresses) = open_ends(&route, &self.settings, false).await?;
            entry.running = Some(self.relay(&route, &entry.plan, sockets, upstream)?);
            entry.addresses = addresses;
        }
        entry.route = route;
        Ok(entry.view())
    }

    /// Removes a route and ends its connections.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), RouteError> {
        let mut state = self.state.lock().await;
        let at = state.routes.iter().position(|entry| entry.route.name == name).ok_or(RouteError::NotFound)?;
        if let Some(running) = state.routes.remove(at).running {
            state.report.add(running.end().await);
        }
        Ok(())
    }

    /// Takes over the routes of a configuration that was read again. No connection ends: those of a
    /// route that is gone or has changed go on as they are. Routes of the API stay. If anything is
    /// wrong, nothing changes.
    pub(crate) async fn reload(&self, routes: Vec<Route>) -> Result<(), RouteError> {
        let mut guard = self.state.lock().await;
        let state = &mut *guard;
        if state.is_stopping {
            return Err(RouteError::Stopping);
        }
        let mut prepared = Vec::with_capacity(routes.len());
        for route in routes {
            let at = state.routes.iter().position(|entry| entry.route.name == route.name);
            if at.is_some_and(|at| !state.routes[at].is_configured) {
                return Err(RouteError::Exists);
            }
            let old = at.map(|at| &state.routes[at]);
            prepared.push((at, self.prepare(old, route).await?));
        }
        let kept: Vec<_> = prepared.iter().filter_map(|(at, _)| *at).collect();
        let mut old: Vec<_> = std::mem::take(&mut state.routes).into_iter().map(Some).collect();
        for (at, prepared) in prepared {
            let entry = at.and_then(|at| old[at].take());
            let (entry, retired) = prepared.apply(entry);
            state.routes.push(entry);
            state.retired.extend(retired);
        }
        for (at, entry) in old.into_iter().enumerate() {
            let Some(mut entry) = entry else { continue };
            if entry.is_configured && !kept.contains(&at) {
                state.retired.extend(entry.running.take());
            } else {
                state.routes.push(entry);
            }
        }
        state.retired.retain_mut(|running| {
            running.sockets.clear();
            running.stop.drain();
            !running.task.is_finished()
        });
        Ok(())
    }

    /// Prepares a route of a configuration, beside the one that has its name.
    async fn prepare(&self, old: Option<&Entry>, route: Route) -> Result<Prepared, RouteError> {
        let Some(old) = old else {
            let bound = Bound::new(route, &self.settings, true).await?;
            return Ok(Prepared::New(self.run(bound, true)?));
        };
        // Checked here, set later.
        let registry = self.settings.registry.clone();
        Plan::new(0, move |text| compile(&registry, text)).set(route.faults.clone())?;
        let same_listen = route.listen == old.route.listen;
        let is_same = same_listen
            && route.upstream == old.route.upstream
            && route.allow == old.route.allow
            && route.protocol.name() == old.route.protocol.name()
            && route.enabled == old.running.is_some()
            && route.tls == old.route.tls
            && (self.common.may_change || route.faults.is_empty() == old.plan.faults().is_empty());
        if is_same {
            return Ok(Prepared::SameRelay(route));
        }
        if !route.enabled {
            return Ok(Prepared::OtherRelay(route, None, old.addresses.clone()));
        }
        let (sockets, upstream, addresses) = match &old.running {
            Some(running) if same_listen => {
                let copies = running.sockets.iter().map(ListenSocket::try_clone).collect::<Result<_, _>>();
                let copies = copies.map_err(|error| StartError::Io("cannot listen".to_owned(), error))?;
                (copies, resolve(&route, true).await?, old.addresses.clone())
            }
            _ => {
                let ((sockets, upstream), addresses) = open_ends(&route, &self.settings, true).await?;
                (sockets, upstream, addresses)
            }
        };
        // Connections that are open keep the old plan.
        let registry = self.settings.registry.clone();
        let plan = Arc::new(Plan::new(self.settings.seed, move |text| compile(&registry, text)));
        plan.set(route.faults.clone())?;
        let running = self.relay(&route, &plan, sockets, upstream)?;
        Ok(Prepared::OtherRelay(route, Some((running, plan)), addresses))
    }

    /// Enables all routes and removes all faults.
    pub(crate) async fn reset(&self) -> Result<(), RouteError> {
        for RouteView { name, .. } in self.list().await {
            // A route may be removed meanwhile.
            let Ok((_, plan)) = self.get(&name).await else { continue };
            plan.set(Vec::new())?;
            self.update(&name, RouteChange { enabled: Some(true), ..RouteChange::default() }).await?;
        }
        Ok(())
    }

    /// Relays until `stop` stops it and all connections have ended. Those that are open may go on
    /// for `drain`.
    pub(crate) async fn serve(&self, stop: &Stop, drain: Duration) -> RelayReport {
        stop.draining().await;
        let (mut running, mut report) = {
            let mut state = self.state.lock().await;
            state.is_stopping = true;
            let mut running = std::mem::take(&mut state.retired);
            running.extend(state.routes.iter_mut().filter_map(|entry| entry.running.take()));
            (running, state.report)
        };
        running.iter().for_each(|running| running.stop.drain());
        let stops: Vec<_> = running.iter().map(|running| running.stop.clone()).collect();
        let hurry = async {
            tokio::select! {
                () = tokio::time::sleep(drain) => {}
                () = stop.over() => {}
            }
            stops.iter().for_each(Stop::now);
            std::future::pending::<()>().await;
        };
        let ends = async {
            for running in &mut running {
                // The counts of a relay that panicked are not known.
                report.add((&mut running.task).await.unwrap_or_default());
            }
        };
        tokio::select! {
            () = ends => {}
            () = hurry => {}
        }
        report
    }
}

/// A route of a configuration that was read again.
enum Prepared {
    New(Entry),
    /// The relay stays.
    SameRelay(Route),
    /// Another relay takes its place, or none.
    OtherRelay(Route, Option<(Running, Arc<Plan>)>, Vec<ListenAddress>),
}

impl Prepared {
    /// Returns the route, and the relay that it no longer has.
    fn apply(self, old: Option<Entry>) -> (Entry, Option<Running>) {
        match (self, old) {
            (Self::New(entry), old) => (entry, old.and_then(|old| old.running)),
            (Self::SameRelay(route), Some(mut old)) => {
                // Compiled before, so it cannot fail.
                let _ = old.plan.set(route.faults.clone());
                old.route = route;
                (old, None)
            }
            (Self::OtherRelay(route, relay, addresses), Some(old)) => {
                let (running, plan) = match relay {
                    Some((running, plan)) => (Some(running), plan),
                    None => (None, old.plan),
                };
                (Entry { route, plan, addresses, running, is_configured: true }, old.running)
            }
            // Not reached: both are prepared beside an old route.
            (Self::SameRelay(route) | Self::OtherRelay(route, ..), None) => {
                let plan = Arc::new(Plan::new(0, |_| Err(String::new())));
                (Entry { route, plan, addresses: Vec::new(), running: None, is_configured: true }, None)
            }
        }
    }
}

impl State {
    fn entry(&self, name: &str) -> Result<&Entry, RouteError> {
        self.routes.iter().find(|entry| entry.route.name == name).ok_or(RouteError::NotFound)
    }
}

impl Entry {
    fn view(&self) -> RouteView {
        let Route { name, listen, upstream, protocol, .. } = &self.route;
        let address = self.addresses.first().map(ListenAddress::to_string);
        RouteView {
            name: name.clone(),
            listen: address.or_else(|| listen.first().cloned()).unwrap_or_default(),
            upstream: upstream.clone(),
            protocol: Arc::clone(protocol),
            enabled: self.running.is_some(),
            faults: self.plan.faults(),
        }
    }
}

impl Running {
    /// Resets all connections, and returns the counts.
    async fn end(self) -> RelayReport {
        self.stop.now();
        self.task.await.unwrap_or_default()
    }
}
