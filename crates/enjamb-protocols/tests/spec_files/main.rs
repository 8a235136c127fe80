//! Spec files: the worked examples, the errors, the laws, and hostile input.

mod errors;
mod examples;
mod hostile;
mod language;
mod random;
mod scripts;
