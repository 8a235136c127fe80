//! enjamb: replay captures through protocol handlers, proxy and log framed traffic.
