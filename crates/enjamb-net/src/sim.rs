//! Streams without sockets, for tests.
