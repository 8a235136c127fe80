//! A contestant, as a row names it.

/// A contestant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// How it reads and writes.
    pub(crate) work: &'static str,
    pub(crate) program: Program,
}

/// The program of a contestant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// This program, with this server inside.
    Own(&'static str),
    /// The program with the libraries of others.
    Peers(&'static str),
    /// A script, for a Python that still has `asynchat`.
    Python(&'static str),
    Redis,
    Nginx,
}

pub(crate) const fn server(name: &'static str, work: &'static str, program: Program) -> Server {
    Server { name, work, program }
}
