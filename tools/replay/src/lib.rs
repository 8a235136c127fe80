//! enjamb replay: captures through protocol handlers.
