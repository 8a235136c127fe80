//! Protocols on the enjamb engine: Redis, HTTP/1, framing specs, and the registry that names them.
