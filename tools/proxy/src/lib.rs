//! enjamb proxy: between a client and a server, logging framed traffic.
