//! The relay under the enjamb proxy: bytes first, then the tap.
