//! The settings that all modes share.

use std::path::PathBuf;
use std::sync::Arc;

use enjamb_sources::arguments::ReassemblyArguments;
use enjamb_sources::{Exit, Input, Inputs, Notices, OutputError, Progress, ProtocolChoice, SourceReader};

use crate::output_arguments::{OutputArguments, OutputFormat};

/// The inputs, the protocols and the output of a replay, whatever its mode.
pub(crate) struct Setup<'a> {
    pub(crate) origin: Origin<'a>,
    /// Whether a missing or damaged input is an error.
    pub(crate) strict: bool,
    pub(crate) reassembly: &'a ReassemblyArguments,
    pub(crate) output: &'a OutputArguments,
    pub(crate) protocols: Arc<ProtocolChoice>,
    pub(crate) notices: Notices,
}

/// The place that traffic comes from.
pub(crate) enum Origin<'a> {
    /// Captures and transcripts, as paths and patterns.
    Paths(&'a [PathBuf]),
    /// Traffic that is still being captured.
    Live(Input),
}

impl Setup<'_> {
    /// Finds the inputs.
    pub(crate) fn inputs(&self) -> Inputs {
        match &self.origin {
            Origin::Paths(paths) => Inputs::find(paths),
            Origin::Live(input) => Inputs { captures: vec![input.clone()], ..Inputs::default() },
        }
    }

    /// Reports why an output is not written. `option` is the option that names it, with a colon and a
    /// space, or empty.
    pub(crate) fn refuse(&self, option: &str, error: &OutputError) -> Exit {
        self.notices.notice(format_args!("{option}{error}"));
        if error.is_wrong_usage() { Exit::WrongUsage } else { Exit::Unavailable }
    }

    /// Creates a reader of the inputs within the limits of reassembly.
    pub(crate) fn reader<'r>(&'r self, inputs: &'r Inputs, progress: &'r Progress<'r>) -> SourceReader<'r> {
        SourceReader::new(inputs, &self.protocols, progress).options(self.reassembly.options())
    }

    /// Returns whether a comparison is written as JSON lines.
    pub(crate) fn is_json(&self) -> bool {
        self.output.format == OutputFormat::Jsonl
    }
}
