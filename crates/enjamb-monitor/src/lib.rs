//! What was seen in framed traffic: records, statistics, latency, errors, and how they are written.
