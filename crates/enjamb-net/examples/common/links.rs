//! The links of a page of HTML, as far as a crawler of loopback addresses wants them.

use std::net::SocketAddr;

/// A page: its host and its path.
pub(crate) type Page = (SocketAddr, String);

/// Returns the pages that a page links to, on loopback addresses.
pub(crate) fn links(body: &str, host: SocketAddr, path: &str) -> Vec<Page> {
    let targets = body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    targets.filter_map(|target| resolve(target, host, path)).collect()
}

/// Resolves a link on the page at `path`.
pub(crate) fn resolve(target: &str, host: SocketAddr, path: &str) -> Option<Page> {
    let target = target.split('#').next().unwrap_or_default();
    if let Some(rest) = target.strip_prefix("http://") {
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = host.parse().or_else(|_| format!("{host}:80").parse()).ok()?;
        return Some((host, if path.is_empty() { "/".to_owned() } else { path.to_owned() }));
    }
    if target.is_empty() || target.contains(':') || target.contains(' ') || target.starts_with("//") {
        return None;
    }
    let path = match target.strip_prefix('/') {
        Some(_) => target.to_owned(),
        None => format!("{}/{target}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
    };
    Some((host, path))
}
