//! Handlers of each kind that keep the defaults of their traits: all find the same frames.

use std::convert::Infallible;

use enjamb::{
    FrameHandler, FrameInfo, Framer, Handler, InvalidUtf8, Machine, Step, Terminator, Text, TextFrameHandler,
    TextHandler,
};

use super::case::EngineCase;

/// A handler that keeps nothing. It puts the first terminator of a case in force.
struct Plain<'c>(&'c EngineCase);

macro_rules! plain {
    ($($name:ident $call:ident $piece:ty),*) => { $(
        impl $name for Plain<'_> {
            type Event = FrameInfo;
            type Error = Infallible;

            fn start(&self) -> Terminator {
                self.0.first.clone()
            }
            plain!($call $piece);
        }
    )* };
    (collect $piece:ty) => {
        fn collect(&mut self, _: $piece) -> Result<(), Infallible> {
            Ok(())
        }
        fn found(&mut self, info: FrameInfo) -> Result<Step<FrameInfo>, Infallible> {
            Ok(Step::event(info))
        }
    };
    (frame $piece:ty) => {
        fn frame(&mut self, _: $piece, info: FrameInfo) -> Result<Step<FrameInfo>, Infallible> {
            Ok(Step::event(info))
        }
    };
}

plain!(Handler collect &[u8], FrameHandler frame &[u8], TextHandler collect &str, TextFrameHandler frame &str);

/// Returns the frames that handlers of each kind find.
pub(crate) fn frames(case: &EngineCase) -> [Vec<FrameInfo>; 4] {
    [
        feed(Framer::new(Plain(case)), case),
        feed(Framer::whole(Plain(case)), case),
        feed(Framer::new(Text::new(Plain(case), InvalidUtf8::Replace)), case),
        feed(Framer::text(Plain(case), InvalidUtf8::Replace), case),
    ]
}

/// Feeds the chunks of a case. The default limit is above the length of any case.
fn feed<H: Handler<Event = FrameInfo>>(mut framer: Framer<H>, case: &EngineCase) -> Vec<FrameInfo> {
    let mut frames = Vec::new();
    let mut fed = 0;
    for (chunk, _) in case.chunks() {
        fed += chunk.len() as u64;
        if framer.feed(chunk, &mut |info| frames.push(info)).is_err() {
            // A length that was announced is above the limit.
            return frames;
        }
        assert!(framer.offset() <= fed && framer.held_bytes().len() <= framer.held(), "the framer is ahead");
        let counts = matches!(framer.awaits(), Some(Terminator::Length(_)));
        assert!(counts || framer.remaining().is_none(), "bytes remain, and nothing counts them");
    }
    let _ = framer.close(&mut |info| frames.push(info));
    frames
}
