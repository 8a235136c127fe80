//! The engine, run over a case.

use std::convert::Infallible;

use enjamb::{
    End, FrameError, FrameHandler, FrameInfo, Framer, Handler, InvalidUtf8, Limit, Machine, Step, Terminator, Text,
    TextError, TextFrameHandler, TextHandler,
};

use super::case::{EngineCase, Setting};
use super::output::Output;

/// A handler that follows the program of a case and keeps everything that it receives.
pub(crate) struct Program<'c, P> {
    case: &'c EngineCase,
    frame: usize,
    payload: P,
    /// The offset behind the last piece of the frame in progress.
    behind: Option<u64>,
}

impl<'c, P: Default> Program<'c, P> {
    pub(crate) fn new(case: &'c EngineCase) -> Self {
        Self { case, frame: 0, payload: P::default(), behind: None }
    }

    fn step(&mut self, info: FrameInfo, skipped: bool) -> Step<Output<P>> {
        let frame = Output::Frame { info, skipped, payload: std::mem::take(&mut self.payload) };
        let setting = self.case.after(self.frame);
        self.frame += 1;
        self.behind = None;
        let step = Step::event(frame);
        match setting {
            Setting::Keep => step,
            Setting::Set(terminator) => step.until(terminator.clone()),
            Setting::Stop => step.stop(),
        }
    }

    fn end(&mut self, end: End) -> Option<Output<P>> {
        Some(Output::End { end, payload: std::mem::take(&mut self.payload) })
    }
}

impl Handler for Program<'_, Vec<u8>> {
    type Event = Output<Vec<u8>>;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        self.case.first.clone()
    }
    fn limit(&self) -> Limit {
        self.case.limit(self.frame)
    }
    fn collect(&mut self, piece: &[u8]) -> Result<(), Infallible> {
        assert!(!piece.is_empty(), "an empty piece");
        self.payload.extend_from_slice(piece);
        Ok(())
    }
    fn collect_at(&mut self, piece: &[u8], at: u64) -> Result<(), Infallible> {
        assert!(self.behind.is_none_or(|behind| behind == at), "a piece at {at}, and not at {:?}", self.behind);
        self.behind = Some(at + piece.len() as u64);
        self.collect(piece)
    }
    fn found(&mut self, info: FrameInfo) -> Result<Step<Self::Event>, Infallible> {
        Ok(self.step(info, false))
    }
    fn oversized(&mut self, info: FrameInfo) -> Result<Step<Self::Event>, Infallible> {
        Ok(self.step(info, true))
    }
    fn close(&mut self, end: End) -> Result<Option<Self::Event>, Infallible> {
        Ok(self.end(end))
    }
    fn held(&self) -> usize {
        self.payload.len()
    }
}

impl TextHandler for Program<'_, String> {
    type Event = Output<String>;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        self.case.first.clone()
    }
    fn limit(&self) -> Limit {
        self.case.limit(self.frame)
    }
    fn collect(&mut self, piece: &str) -> Result<(), Infallible> {
        assert!(!piece.is_empty(), "an empty piece");
        self.payload.push_str(piece);
        Ok(())
    }
    fn found(&mut self, info: FrameInfo) -> Result<Step<Self::Event>, Infallible> {
        Ok(self.step(info, false))
    }
    fn oversized(&mut self, info: FrameInfo) -> Result<Step<Self::Event>, Infallible> {
        Ok(self.step(info, true))
    }
    fn close(&mut self, end: End) -> Result<Option<Self::Event>, Infallible> {
        Ok(self.end(end))
    }
    fn held(&self) -> usize {
        self.payload.len()
    }
}

/// Collects the pieces of each frame, to show where they are cut.
impl Handler for Program<'_, Vec<Vec<u8>>> {
    type Event = Output<Vec<Vec<u8>>>;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        self.case.first.clone()
    }
    fn limit(&self) -> Limit {
        self.case.limit(self.frame)
    }
    fn collect(&mut self, piece: &[u8]) -> Result<(), Infallible> {
        self.payload.push(piece.to_vec());
        Ok(())
    }
    fn found(&mut self, info: FrameInfo) -> Result<Step<Self::Event>, Infallible> {
        Ok(self.step(info, false))
    }
    fn oversized(&mut self, info: FrameInfo) -> Result<Step<Self::Event>, Infallible> {
        Ok(self.step(info, true))
    }
    fn close(&mut self, end: End) -> Result<Option<Self::Event>, Infallible> {
        Ok(self.end(end))
    }
}

/// A program whose frames come whole.
pub(crate) struct WholeProgram<'c, P>(Program<'c, P>);

impl FrameHandler for WholeProgram<'_, Vec<u8>> {
    type Event = Output<Vec<u8>>;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        self.0.case.first.clone()
    }
    fn limit(&self) -> Limit {
        self.0.case.limit(self.0.frame)
    }
    fn frame(&mut self, frame: &[u8], info: FrameInfo) -> Result<Step<Self::Event>, Infallible> {
        self.0.payload = frame.to_vec();
        Ok(self.0.step(info, false))
    }
    fn oversized(&mut self, info: FrameInfo) -> Result<Step<Self::Event>, Infallible> {
        Ok(self.0.step(info, true))
    }
    fn close(&mut self, partial: &[u8], end: End) -> Result<Option<Self::Event>, Infallible> {
        self.0.payload = partial.to_vec();
        Ok(self.0.end(end))
    }
}

impl TextFrameHandler for WholeProgram<'_, String> {
    type Event = Output<String>;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        self.0.case.first.clone()
    }
    fn limit(&self) -> Limit {
        self.0.case.limit(self.0.frame)
    }
    fn frame(&mut self, frame: &str, info: FrameInfo) -> Result<Step<Self::Event>, Infallible> {
        frame.clone_into(&mut self.0.payload);
        Ok(self.0.step(info, false))
    }
    fn oversized(&mut self, info: FrameInfo) -> Result<Step<Self::Event>, Infallible> {
        Ok(self.0.step(info, true))
    }
    fn close(&mut self, partial: &str, end: End) -> Result<Option<Self::Event>, Infallible> {
        partial.clone_into(&mut self.0.payload);
        Ok(self.0.end(end))
    }
}

/// Returns the outputs of the engine with handlers that get their frames whole.
pub(crate) fn run_whole(case: &EngineCase) -> Vec<Output<Vec<u8>>> {
    drive(Framer::whole(WholeProgram(Program::<Vec<u8>>::new(case))), case, |error| match error {
        FrameError::TooLong { start, end, max } => Output::TooLong { start, end, max },
        FrameError::Handler { error, .. } => match error {},
    })
}

/// Returns the outputs of the text adapter with handlers that get their frames whole.
pub(crate) fn run_whole_text(case: &EngineCase, invalid: InvalidUtf8) -> Vec<Output<String>> {
    drive(Framer::text(WholeProgram(Program::<String>::new(case)), invalid), case, |error| text_error(&error))
}

fn text_error(error: &FrameError<TextError<Infallible>>) -> Output<String> {
    match *error {
        FrameError::TooLong { start, end, max } => Output::TooLong { start, end, max },
        FrameError::Handler { start, end, error: TextError::Invalid { at, length } } => {
            Output::Invalid { start, end, at, length }
        }
        FrameError::Handler { error: TextError::Handler(never), .. } => match never {},
    }
}

/// Returns the outputs of the engine with the pieces of each frame.
pub(crate) fn run_pieces(case: &EngineCase) -> Vec<Output<Vec<Vec<u8>>>> {
    drive(Framer::new(Program::<Vec<Vec<u8>>>::new(case)), case, |error| match error {
        FrameError::TooLong { start, end, max } => Output::TooLong { start, end, max },
        FrameError::Handler { error, .. } => match error {},
    })
}

/// Returns the outputs of the engine for a case, in its chunks.
pub(crate) fn run(case: &EngineCase) -> Vec<Output<Vec<u8>>> {
    drive(Framer::new(Program::<Vec<u8>>::new(case)), case, |error| match error {
        FrameError::TooLong { start, end, max } => Output::TooLong { start, end, max },
        FrameError::Handler { error, .. } => match error {},
    })
}

/// Returns the outputs of the engine for a case of text.
pub(crate) fn run_text(case: &EngineCase, invalid: InvalidUtf8) -> Vec<Output<String>> {
    drive(Framer::new(Text::new(Program::<String>::new(case), invalid)), case, |error| text_error(&error))
}

/// Drives a framer over a case.
fn drive<H: Handler>(
    mut framer: Framer<H>,
    case: &EngineCase,
    failed: impl Fn(FrameError<H::Error>) -> H::Event,
) -> Vec<H::Event>
where
    H::Error: std::fmt::Display,
{
    let mut outputs = Vec::new();
    for (mut chunk, set) in case.chunks() {
        loop {
            match framer.next(&mut chunk) {
                Ok(Some(event)) => outputs.push(event),
                Ok(None) => break,
                Err(error) => {
                    let again = framer.next(&mut &b"more"[..]).err().map(|again| (again.start(), again.end()));
                    assert_eq!(again, Some((error.start(), error.end())), "the framer is not fused");
                    assert!(!error.to_string().is_empty(), "an error without a text");
                    outputs.push(failed(error));
                    return outputs;
                }
            }
        }
        assert!(chunk.is_empty(), "the framer left bytes of a chunk");
        if let Some(terminator) = set {
            framer.set_terminator(terminator.clone());
        }
    }
    if let Err(error) = framer.close(&mut |event| outputs.push(event)) {
        outputs.push(failed(error));
    }
    outputs
}
