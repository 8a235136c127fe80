//! Services on connections: simulated ones with paused time, and real sockets.

mod limits;
mod replies;
mod server;
mod services;
mod simulated;
