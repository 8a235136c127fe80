//! The laws of framing as plain functions: one trace of messages, however the bytes were cut.
