//! A crawler: it follows the links of a site and keeps many connections busy, but not too many of
//! one host.
//!
//! ```sh
//! cargo run --release --example crawl -- http://127.0.0.1:8080/ --connections 200 --per-host 50
//! ```
//!
//! It goes to loopback addresses only, and stops after `--pages` pages (10,000 by default).

#[path = "common/http.rs"]
mod http;
#[path = "common/links.rs"]
mod links;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use enjamb::{Framer, WholeFrames};
use enjamb_net::{Peer, Service, connect};
use http::{Messages, Part};
use links::{Page, links, resolve};
use tokio::task::JoinSet;

/// The pages that a connection fetched: each path with its status, its length and the links on it.
type Fetched = Vec<(String, u16, usize, Vec<Page>)>;

/// Fetches paths of one host on one connection, several requests ahead.
struct Fetch {
    responses: Framer<WholeFrames<Messages>>,
    host: SocketAddr,
    waiting: VecDeque<String>,
    asked: VecDeque<String>,
    status: u16,
    keeps_alive: bool,
    body: Vec<u8>,
    fetched: Fetched,
}

/// The number of requests on one connection that wait for their responses.
const AHEAD: usize = 4;

impl Fetch {
    fn ask(&mut self, peer: &mut Peer<'_>) {
        while self.asked.len() < AHEAD
            && let Some(path) = self.waiting.pop_front()
        {
            peer.push(format!("GET {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: enjamb-crawl\r\n\r\n", self.host));
            self.asked.push_back(path);
        }
        if self.asked.is_empty() {
            peer.close_when_done();
        }
    }
}

impl Service for Fetch {
    type Machine = Framer<WholeFrames<Messages>>;

    fn machine(&mut self) -> &mut Self::Machine {
        &mut self.responses
    }

    fn open(&mut self, peer: &mut Peer<'_>) {
        self.ask(peer);
    }

    fn event(&mut self, parts: Vec<Part>, peer: &mut Peer<'_>) {
        for part in parts {
            match part {
                Part::Head(head) => {
                    self.status = head.status;
                    self.keeps_alive = head.keeps_alive();
                }
                Part::Data(bytes) => self.body.extend(bytes),
                Part::End if self.status < 200 => {}
                Part::End => {
                    let body = std::mem::take(&mut self.body);
                    if let Some(path) = self.asked.pop_front() {
                        let links = links(&String::from_utf8_lossy(&body), self.host, &path);
                        self.fetched.push((path, self.status, body.len(), links));
                    }
                    if self.keeps_alive {
                        self.ask(peer);
                    } else {
                        peer.close_when_done();
                    }
                }
            }
        }
    }
}

/// The pages that are to be fetched, by host, and how many connections each host has.
#[derive(Default)]
struct Frontier {
    seen: HashSet<Page>,
    hosts: BTreeMap<SocketAddr, (VecDeque<String>, usize)>,
}

impl Frontier {
    fn add(&mut self, page: Page, pages_max: usize) {
        if page.0.ip().is_loopback() && self.seen.len() < pages_max && self.seen.insert(page.clone()) {
            self.hosts.entry(page.0).or_default().0.push_back(page.1);
        }
    }

    /// Takes paths of a host that may have another connection.
    fn take(&mut self, per_host: usize) -> Option<(SocketAddr, VecDeque<String>)> {
        let ready = |(waiting, open): &(VecDeque<String>, usize)| !waiting.is_empty() && *open < per_host;
        let (host, (waiting, open)) =
            self.hosts.iter_mut().filter(|(_, host)| ready(host)).min_by_key(|(_, host)| host.1)?;
        *open += 1;
        // Enough for this connection, and a share for the others.
        let share = (waiting.len() / per_host).clamp(1, 64);
        Some((*host, waiting.drain(..share.min(waiting.len())).collect()))
    }
}

fn option(arguments: &[String], name: &str, default: usize) -> usize {
    let value = arguments.iter().position(|it| it == name).and_then(|at| arguments.get(at + 1));
    value.and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() -> Result<(), String> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let first = arguments.first().map_or("127.0.0.1:8080", String::as_str);
    let first = if first.starts_with("http://") { first.to_owned() } else { format!("http://{first}/") };
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 80));
    let start = resolve(&first, nowhere, "/")
        .ok_or("usage: crawl http://ADDRESS:PORT/ [--connections N] [--per-host N] [--pages N]")?;
    let (connections, per_host) = (option(&arguments, "--connections", 200), option(&arguments, "--per-host", 50));
    let pages_max = option(&arguments, "--pages", 10_000);

    let begin = Instant::now();
    let mut frontier = Frontier::default();
    frontier.add(start, pages_max);
    let mut open = JoinSet::new();
    let (mut most, mut failed, mut bytes, mut statuses) = (0, 0, 0, BTreeMap::<u16, usize>::new());
    loop {
        while open.len() < connections
            && let Some((host, waiting)) = frontier.take(per_host)
        {
            let fetch = Fetch {
                responses: Framer::whole(Messages::responses()),
                host,
                waiting,
                asked: VecDeque::new(),
                status: 0,
                keeps_alive: true,
                body: Vec::new(),
                fetched: Vec::new(),
            };
            open.spawn(async move {
                let expected = fetch.waiting.clone();
                match connect(&host.to_string(), fetch).await {
                    Ok(running) => {
                        let (fetch, _) = running.await;
                        (host, fetch.fetched, fetch.asked.into_iter().chain(fetch.waiting).collect())
                    }
                    Err(_) => (host, Vec::new(), expected),
                }
            });
        }
        most = most.max(open.len());
        let Some(done) = open.join_next().await else { break };
        let (host, fetched, left): (_, Fetched, VecDeque<String>) = done.map_err(|error| error.to_string())?;
        if let Some((waiting, open)) = frontier.hosts.get_mut(&host) {
            *open -= 1;
            // A server may close a connection after so many requests. One that answers none is left
            // alone.
            if fetched.is_empty() { failed += left.len() } else { waiting.extend(left) }
        }
        for (_, status, length, links) in fetched {
            *statuses.entry(status).or_default() += 1;
            bytes += length;
            links.into_iter().for_each(|page| frontier.add(page, pages_max));
        }
    }
    let pages: usize = statuses.values().sum();
    println!(
        "{pages} pages, {bytes} bytes, {failed} failed, {} hosts, {most} connections at most, {:.2?}",
        frontier.hosts.len(),
        begin.elapsed()
    );
    for (status, count) in statuses {
        println!("  {status}: {count}");
    }
    Ok(())
}
