//! The inputs with which each law of a definition is tried, and their number.

use std::cell::Cell;
use std::fmt::Debug;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use enjamb::Outcome;

use crate::cutting::{Cutting, stream};
use crate::definition::Laws;
use crate::families::{self, Allowance, Member};
use crate::inputs::{self, Chance, Exchange};
use crate::law::Law;
use crate::laws::{
    Bound, Growth, Interleavings, alone, alone_after, awake, bounded, coalesce, end, end_between, fused, interleaved,
    linear, prompt, quiet, round_trip, sides, split, split_everywhere, total,
};
use crate::literal::literal;
use crate::measure;
use crate::output::{Breach, Output};
use crate::pulse;
use crate::regressions::{self, Regression};
use crate::run::{AfterError, Listener};
use crate::script::{Case, Script};
use crate::segmentations::Segmentations;
use crate::stretch::{self, Stretch};
use crate::subject::{Comparable, Subject};
use crate::trace::drive;
use crate::verdict::Tally;
use crate::violation::Violation;

/// The maximum time for trying inputs that are long and deep.
const EXTREMES_MAX: Duration = Duration::from_secs(3);

/// The time of one family of inputs, with 1000 cases.
const FAMILY_MAX: Duration = Duration::from_millis(400);

/// The longest derived message that is tried together with others, in bytes.
const SHORT_DERIVED_MAX: usize = 512;

/// The time after which the linear law begins with no other growth.
const LINEAR_MAX: Duration = Duration::from_secs(4);

/// The longest stream that is cut off behind each of its bytes, in bytes.
const END_BYTES_MAX: usize = 64 << 10;

/// The orders of the chunks of one conversation that are tried.
const INTERLEAVINGS: Interleavings = Interleavings::all_up_to(64, 1, 24);

/// The reason why a law was not found to hold.
pub(crate) enum Failure {
    Broken(Box<Violation>),
    NotTried(String),
    Unfit(String),
}

impl From<Box<Violation>> for Failure {
    fn from(violation: Box<Violation>) -> Self {
        Self::Broken(violation)
    }
}

impl<S> Laws<S>
where
    S: Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static,
{
    /// Returns the time of a family of inputs. Definitions with fewer cases take less.
    fn allowance(&self, time: Duration) -> Allowance {
        Allowance::of(time.mul_f64((self.cases as f64 / 1000.0).min(4.0)))
    }

    /// Tries a law that applies; with `extremes`, also with inputs that may end the process.
    pub(crate) fn tried(&self, law: Law, extremes: bool) -> Result<Tally, Failure> {
        self.well_formed(law)?;
        let mut tried = Tally::default();
        for regression in self.regressions()? {
            if regression.law == law {
                tried += self.regression(&regression)?;
            }
        }
        tried += match law {
            Law::Total => self.total(extremes)?,
            Law::Split => self.split()?,
            Law::Coalesce => self.coalesce()?,
            Law::Prompt => self.prompt()?,
            Law::Quiet => self.quiet()?,
            Law::End => self.end()?,
            Law::Alone => self.alone()?,
            Law::Fused => self.over_cases(fused)?,
            Law::Bounded => self.bounded()?,
            Law::Linear => self.linear()?,
            Law::Awake => self.over_streams(awake)?,
            Law::RoundTrip => self.round_trip()?,
            Law::Interleaved => self.interleaved()?,
        };
        Ok(tried)
    }

    /// Refuses a definition whose subject refuses one of its messages, or gives no event for any of
    /// them: no law over messages would be meaningful. The laws themselves check the output at the
    /// end of the stream.
    fn well_formed(&self, law: Law) -> Result<(), Failure> {
        let alone = if self.dependent { 1 } else { usize::MAX };
        let mut says_something = self.grammar.messages.is_empty();
        for (number, message) in self.grammar.messages.iter().enumerate().take(alone) {
            let input = stream(message);
            pulse::input(&input);
            pulse::cuts(&[]);
            let mut listener = RefusalListener::default();
            drive(&self.subject, &mut input.cut(&[]), &mut listener, AfterError::Stop);
            says_something |= listener.says_something || law == Law::Total && listener.panic.is_some();
            if let Some(refusal) = listener.refusal {
                let message = literal(message);
                return Err(Failure::Unfit(format!(
                    "message {} of the definition, {message}, is not read: {refusal}",
                    number + 1
                )));
            }
            // The total law reports a panic with the smallest input that shows it.
            if let Some(breach) = listener.panic.filter(|_| law != Law::Total) {
                let message = literal(message);
                return Err(Failure::Unfit(format!("message {} of the definition, {message}: {breach}", number + 1)));
            }
        }
        if !says_something && self.dependent {
            let input = stream(&self.grammar.messages.concat());
            let mut listener = RefusalListener::default();
            drive(&self.subject, &mut input.cut(&[]), &mut listener, AfterError::Stop);
            says_something = listener.says_something;
        }
        if !says_something {
            return Err(Failure::Unfit(
                "none of its messages gives an event: every law would hold over nothing".to_owned(),
            ));
        }
        Ok(())
    }

    fn regressions(&self) -> Result<Vec<Regression>, Failure> {
        let folder = regressions::folder(self.file, &self.name);
        folder.map_or(Ok(Vec::new()), |folder| regressions::load(&folder)).map_err(Failure::Unfit)
    }

    fn regression(&self, Regression { law, input, chunks, cuts, .. }: &Regression) -> Result<Tally, Failure> {
        let subject = &self.subject;
        let messages: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        match law {
            Law::Split => split(subject, input, cuts)?,
            Law::Total => total(subject, input, cuts)?,
            Law::Quiet => quiet(subject, input, cuts)?,
            Law::Fused => fused(subject, input, cuts)?,
            Law::Awake => awake(subject, input, cuts)?,
            Law::Coalesce => coalesce(subject, &messages)?,
            Law::Prompt => prompt(subject, &messages, cuts)?,
            Law::End if self.drops_unfinished.is_some() => end_between(subject, &messages)?,
            Law::End => end(subject, &messages)?,
            Law::Alone => alone(subject, &messages)?,
            Law::Bounded => {
                if let Some(bound) = self.bound {
                    bounded(subject, input, cuts, bound)?;
                }
            }
            Law::RoundTrip => {
                if let Some(encode) = &self.encode {
                    round_trip(subject, &input.bytes(), self.canonical, encode)?;
                }
            }
            // The evidence consists of figures, or of the order of the input as it was given: a
            // file contains neither.
            Law::Linear | Law::Interleaved => {}
        }
        Ok(Tally::one(2))
    }

    /// Returns the recorded inputs in the corpora.
    fn recorded(&self) -> Result<Vec<Case>, Failure> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
        let grammar = self.grammar();
        let mut cases = Vec::new();
        for folder in &self.corpora {
            let folder = package.join(folder);
            let unreadable =
                |error: std::io::Error| Failure::Unfit(format!("the corpus {}: {error}", folder.display()));
            let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
                .map_err(unreadable)?
                .map(|entry| Ok(entry?.path()))
                .collect::<Result<_, _>>()
                .map_err(unreadable)?;
            paths.retain(|path| path.is_file());
            paths.sort();
            if paths.is_empty() {
                return Err(Failure::Unfit(format!("the corpus {} is empty", folder.display())));
            }
            for path in paths {
                cases.push(Script::read(&fs::read(&path).map_err(unreadable)?).case(&grammar));
            }
        }
        Ok(cases)
    }

    fn split(&self) -> Result<Tally, Failure> {
        let mut tried = Tally::default();
        let mut everywhere = |input: &Cutting, segmentations: &Segmentations| -> Result<(), Failure> {
            tried += Tally::one(split_everywhere(&self.subject, input, segmentations)?.segmentations);
            Ok(())
        };
        for input in inputs::streams(&self.grammar.messages) {
            everywhere(&input, &inputs::segmentations(input.len()))?;
        }
        // The verdict on the end does not depend on the cuts, wherever the end comes.
        let all = inputs::within(&self.grammar.messages, 256).concat();
        for len in 1..all.len() {
            everywhere(&stream(&all[..len]), &Segmentations::every_byte().and_random(len as u64, 3))?;
        }
        for Case { input, cuts } in self.recorded()? {
            everywhere(&input, &inputs::segmentations(input.len()))?;
            split(&self.subject, &input, &cuts)?;
        }
        for Case { input, cuts } in self.chance().cases(&self.grammar(), self.cases) {
            split(&self.subject, &input, &cuts)?;
            everywhere(&input, &Segmentations::every_byte())?;
        }
        for input in self.over_long() {
            everywhere(&input, &Segmentations::every_byte().and_random(7, 40))?;
        }
        // A session has two sides, and conversations of its own.
        if self.subject.converses() {
            return Ok(tried);
        }
        let messages = &self.grammar.messages;
        for text in families::line_ends(messages) {
            everywhere(&stream(&text), &inputs::segmentations(text.len()))?;
        }
        tried += self.split_families()?;
        Ok(tried)
    }

    /// Tries the families of inputs that need something special.
    fn split_families(&self) -> Result<Tally, Failure> {
        let (subject, messages) = (&self.subject, &self.grammar.messages);
        let mut tried = Tally::default();
        let mut all = |family: &mut dyn Iterator<Item = Member>, time: Duration| -> Result<(), Failure> {
            tried += families::split_all(subject, family, &self.allowance(time))?;
            Ok(())
        };
        all(&mut families::characters(messages), FAMILY_MAX)?;
        all(&mut families::tokens(messages, &self.grammar().tokens), FAMILY_MAX)?;
        all(&mut families::insertions(messages), FAMILY_MAX)?;
        all(&mut families::replacements(messages), FAMILY_MAX / 2)?;
        let stretches = self.stretches();
        let next = inputs::shortest(messages);
        all(&mut families::over_limits(&stretches, next), FAMILY_MAX)?;
        all(&mut families::edges(&stretches, next), 2 * FAMILY_MAX)?;
        let long = stretches.iter().map(|stretch| stretch.message(700));
        let long = long.into_iter().find(|long| stretch::events_of(subject, long).is_some()).unwrap_or_default();
        all(&mut families::chunk_sizes(messages, &long).into_iter(), FAMILY_MAX)?;
        all(&mut families::short_streams(messages), FAMILY_MAX)?;
        Ok(tried)
    }

    /// Returns the places at which the messages can be longer. A session reports malformed messages
    /// as events, so it does not show which of them are well-formed.
    fn stretches(&self) -> Vec<Stretch> {
        if self.subject.converses() {
            return Vec::new();
        }
        stretch::stretches(&self.subject, &self.grammar.messages)
    }

    /// Returns messages that are made from those of the definition and give as many events: short
    /// and empty ones, ones that end in CRLF, and ones whose length is near the size of a buffer.
    fn derived(&self) -> Vec<Vec<u8>> {
        let (subject, messages) = (&self.subject, &self.grammar.messages);
        if subject.converses() {
            return Vec::new();
        }
        let allowance = self.allowance(FAMILY_MAX);
        let mut derived: Vec<Vec<u8>> = Vec::new();
        let stretches = self.stretches();
        for stretch in &stretches {
            let Some(events) = stretch::events_of(subject, &stretch.message(0)) else { continue };
            let least = stretch.least();
            for more in [least, least + 1, least + 2, 1, 2, 3] {
                let message = stretch.message(more);
                if stretch::is_well_formed(subject, &message, events) {
                    derived.push(message);
                }
            }
        }
        for message in families::line_ends(&messages.iter().take(4).cloned().collect::<Vec<_>>()) {
            // A reader may wait behind a CR for the LF.
            if message.ends_with(b"\n") && stretch::events_of(subject, &message).is_some_and(|events| events > 0) {
                derived.push(message);
            }
        }
        let edges = families::stretched(&stretches).map(|(message, _)| message).take_while(|_| !allowance.is_spent());
        derived.extend(edges.filter(|message| stretch::events_of(subject, message).is_some_and(|events| events > 0)));
        derived
    }

    /// Returns messages with a payload as long as the limit, a little shorter and a little longer.
    /// The verdict must not depend on the cuts.
    fn over_long(&self) -> Vec<Cutting> {
        const LONGEST: usize = 8 << 10;
        let Some(Bound { limit, .. }) = self.bound.filter(|bound| bound.limit <= LONGEST) else {
            return Vec::new();
        };
        let floods = inputs::floods(&self.grammar.messages, 2);
        let long = |flood: &Growth| {
            let message = self.grammar.messages.iter().find(|message| message.starts_with(&flood.start));
            let rest = message.map_or_else(Vec::new, |message| message[flood.start.len()..].to_vec());
            [limit.saturating_sub(1), limit, limit + 1, limit + 2].map(|len| {
                stream(&[&flood.start[..], &flood.unit.repeat(len), &rest, &self.grammar.messages[0]].concat())
            })
        };
        floods.iter().take(6).flat_map(long).collect()
    }

    fn chance(&self) -> Chance {
        Chance::new(&self.name)
    }

    /// Tries a law of an input and its cuts with all random cases.
    fn over_cases(&self, law: impl Fn(&S, &Cutting, &[usize]) -> Result<(), Box<Violation>>) -> Result<Tally, Failure> {
        let mut tried = Tally::default();
        let mut chance = self.chance();
        for Case { input, cuts } in chance.cases(&self.grammar(), self.cases) {
            law(&self.subject, &input, &cuts)?;
            law(&self.subject, &input, &[])?;
            tried += Tally::one(2);
        }
        for Case { input, cuts } in chance.noise(self.cases / 4) {
            law(&self.subject, &input, &cuts)?;
            tried += Tally::one(1);
        }
        Ok(tried)
    }

    /// Tries a law of an input and its cuts with streams of well-formed messages, each under every
    /// single cut, and then with all random cases.
    fn over_streams(
        &self,
        law: impl Fn(&S, &Cutting, &[usize]) -> Result<(), Box<Violation>>,
    ) -> Result<Tally, Failure> {
        let mut tried = Tally::default();
        for input in inputs::streams(&self.grammar.messages) {
            let segmentations = match input.len() {
                0..=512 => Segmentations::up_to_one_cut().and_random(2, 16),
                _ => Segmentations::every_byte().and_random(2, 16),
            };
            law(&self.subject, &input, &[])?;
            let mut runs = 1;
            let broken = segmentations.try_each(input.len(), |cuts| {
                runs += 1;
                law(&self.subject, &input, cuts).map_or_else(ControlFlow::Break, ControlFlow::Continue)
            });
            if let ControlFlow::Break(violation) = broken {
                return Err(violation.into());
            }
            tried += Tally::one(runs);
        }
        tried += self.over_cases(law)?;
        Ok(tried)
    }

    fn total(&self, extremes: bool) -> Result<Tally, Failure> {
        let mut tried = self.over_streams(total)?;
        for Case { input, cuts } in self.chance().noise(self.cases) {
            let every: Vec<usize> = (1..input.len()).collect();
            total(&self.subject, &input, &cuts)?;
            total(&self.subject, &input, &every)?;
            tried += Tally::one(2);
        }
        let (subject, messages) = (&self.subject, &self.grammar.messages);
        let stretches = self.stretches();
        let next = inputs::shortest(messages);
        let mut all = |family: &mut dyn Iterator<Item = Member>, time: Duration| -> Result<(), Failure> {
            tried += families::total_all(subject, family, &self.allowance(time))?;
            Ok(())
        };
        if !subject.converses() {
            all(&mut families::tokens(messages, &self.grammar().tokens), FAMILY_MAX / 2)?;
            all(&mut families::insertions(messages), FAMILY_MAX / 2)?;
            all(&mut families::replacements(messages), FAMILY_MAX / 2)?;
            all(&mut families::over_limits(&stretches, next), FAMILY_MAX / 2)?;
            all(&mut families::edges(&stretches, next), FAMILY_MAX)?;
            all(&mut families::short_streams(messages), FAMILY_MAX)?;
        }
        if extremes {
            let started = Instant::now();
            // A subject that is slow on long inputs is left to the linear law.
            for extreme in inputs::extremes(&self.grammar()).iter().take_while(|_| started.elapsed() < EXTREMES_MAX) {
                total(&self.subject, &stream(extreme), &[])?;
                tried += Tally::one(1);
            }
        }
        Ok(tried)
    }

    fn quiet(&self) -> Result<Tally, Failure> {
        let mut tried = self.over_streams(quiet)?;
        if self.subject.converses() {
            return Ok(tried);
        }
        let (messages, grammar) = (&self.grammar.messages, self.grammar());
        // Damaged messages, each followed by a whole one: a decoder that drops the first in silence
        // gives the second only when it is called again.
        let families: [&mut dyn Iterator<Item = Member>; 3] = [
            &mut families::tokens(messages, &grammar.tokens),
            &mut families::insertions(messages),
            &mut families::replacements(messages),
        ];
        for family in families {
            let allowance = self.allowance(FAMILY_MAX / 2);
            for Member { bytes, .. } in family.take_while(|_| !allowance.is_spent()) {
                quiet(&self.subject, &stream(&bytes), &[])?;
                tried += Tally::one(2);
            }
        }
        Ok(tried)
    }

    fn coalesce(&self) -> Result<Tally, Failure> {
        let messages = &self.grammar.messages;
        let all = inputs::many(messages);
        coalesce(&self.subject, &all)?;
        let mut tried = Tally { inputs: 1, runs: 4 };
        if !self.dependent {
            for message in messages {
                coalesce(&self.subject, &inputs::many(std::slice::from_ref(message)))?;
                tried += Tally::one(4);
            }
            let derived = self.derived();
            let allowance = self.allowance(FAMILY_MAX);
            for message in derived.iter().take_while(|_| !allowance.is_spent()) {
                coalesce(&self.subject, &[message, inputs::shortest(messages), message])?;
                tried += Tally::one(4);
            }
        }
        Ok(tried)
    }

    fn prompt(&self) -> Result<Tally, Failure> {
        let all = inputs::within(&self.grammar.messages, 4 << 10);
        let mut lists = vec![all.clone()];
        if !self.dependent {
            lists.extend(self.grammar.messages.iter().map(|message| vec![message.as_slice()]));
        }
        let mut tried = Tally::default();
        for messages in lists {
            let len = messages.concat().len();
            prompt(&self.subject, &messages, &[])?;
            let segmentations = match len {
                0..=128 => Segmentations::up_to_one_cut().and_random(3, 8),
                _ => Segmentations::every_byte().and_random(3, 16),
            };
            let mut runs = 1;
            let broken = segmentations.try_each(len, |cuts| {
                runs += 1;
                prompt(&self.subject, &messages, cuts).map_or_else(ControlFlow::Break, ControlFlow::Continue)
            });
            if let ControlFlow::Break(violation) = broken {
                return Err(violation.into());
            }
            tried += Tally::one(runs);
        }
        if !self.dependent {
            let derived = self.derived();
            let allowance = self.allowance(FAMILY_MAX);
            for message in derived.iter().take_while(|_| !allowance.is_spent()) {
                prompt(&self.subject, &[message], &[])?;
                prompt(&self.subject, &[message], &[message.len() - 1])?;
                prompt(&self.subject, &[inputs::shortest(&self.grammar.messages), message], &[])?;
                tried += Tally::one(3);
            }
        }
        Ok(tried)
    }

    fn end(&self) -> Result<Tally, Failure> {
        let all = inputs::within(&self.grammar.messages, 2 << 10);
        // The law tries the message cut off behind each byte, so the time grows with the square of
        // its length.
        let length: usize = all.iter().map(|message| message.len()).sum();
        if length > END_BYTES_MAX {
            return Err(Failure::NotTried(format!(
                "the first message has {length} bytes, and {END_BYTES_MAX} are the most: give a shorter one first"
            )));
        }
        match self.drops_unfinished {
            Some(_) => end_between(&self.subject, &all)?,
            None => end(&self.subject, &all)?,
        }
        Ok(Tally { inputs: 1, runs: length })
    }

    fn alone(&self) -> Result<Tally, Failure> {
        const MOST: usize = 16;
        let messages: Vec<&[u8]> = self.grammar.messages.iter().take(MOST).map(Vec::as_slice).collect();
        let mut tried = Tally::default();
        for first in &messages {
            for second in &messages {
                alone(&self.subject, &[first, second])?;
                tried += Tally::one(3);
            }
        }
        alone(&self.subject, &messages)?;
        tried += Tally::one(messages.len() + 1);
        let next = inputs::shortest(&self.grammar.messages);
        for message in self.derived().iter().filter(|message| message.len() <= SHORT_DERIVED_MAX) {
            alone(&self.subject, &[message, next])?;
            tried += Tally::one(3);
        }
        tried += self.alone_after_errors()?;
        Ok(tried)
    }

    /// Tries messages after one that is refused: for a byte in its payload, or for its length. The
    /// framing of such a message is right, so a subject that goes on finds the next one.
    fn alone_after_errors(&self) -> Result<Tally, Failure> {
        const BAD_BYTES: [u8; 5] = [0xff, 0x80, 0, 1, 0x7f];
        const OVER_LONG: [usize; 5] = [100, 300, 1_100, 9_000, 20_000];
        let subject = &self.subject;
        let mut tried = Tally::default();
        for stretch in self.stretches() {
            let good = stretch.message(0);
            let mut refused: Vec<Vec<u8>> = BAD_BYTES.iter().map(|byte| stretch.filled(1, *byte)).collect();
            if !stretch.has_length() {
                let declared = self.bound.map(|bound| bound.limit + 1).filter(|len| *len <= 64 << 10);
                let lens = OVER_LONG.into_iter().chain(declared);
                refused.extend(
                    lens.filter_map(|len| Some(stretch.message(stretch.more_for(len)[0].filter(|more| *more > 0)?))),
                );
            }
            for refused in refused {
                alone_after(subject, &refused, &good)?;
                tried += Tally::one(4);
            }
        }
        Ok(tried)
    }

    fn bounded(&self) -> Result<Tally, Failure> {
        const CHUNK: usize = 1 << 10;
        let Some(bound) = self.bound else {
            return Ok(Tally::default());
        };
        if !measure::COUNTS_ALLOCATIONS && !self.reports_held() {
            return Err(Failure::NotTried(
                "its adapter does not see what the subject holds: turn on the feature `allocations` of enjamb-law, \
                 which counts it"
                    .to_owned(),
            ));
        }
        let length = 2 * bound.most() + 4 * CHUNK;
        let places = if length < 256 << 10 { 6 } else { 1 };
        let mut tried = Tally::default();
        for Growth { start, unit, .. } in inputs::floods(&self.grammar.messages, places) {
            let input = stream(&[&start[..], &unit.repeat(length)].concat());
            let cuts: Vec<usize> = (CHUNK..input.len()).step_by(CHUNK).collect();
            bounded(&self.subject, &input, &cuts, bound)?;
            tried += Tally::one(1);
        }
        // A message whose head is short and whose body never ends: a line of it again and again, or
        // a length that is never reached.
        let lines = inputs::line_floods(&self.grammar.messages).into_iter().filter(|_| !self.subject.converses());
        let lines = lines.map(|Growth { start, unit, .. }| {
            let times = length.div_ceil(unit.len().max(1));
            [start, unit.repeat(times)].concat()
        });
        let stretches = self.stretches();
        let long = stretches.iter().take(4).map(|stretch| stretch.message(isize::try_from(length).unwrap_or(0)));
        for bytes in lines.chain(long) {
            let cuts: Vec<usize> = (CHUNK..bytes.len()).step_by(CHUNK).collect();
            bounded(&self.subject, &stream(&bytes), &cuts, bound)?;
            tried += Tally::one(1);
        }
        for Case { input, cuts } in self.chance().cases(&self.grammar(), self.cases / 2) {
            bounded(&self.subject, &input, &cuts, bound)?;
            tried += Tally::one(1);
        }
        Ok(tried)
    }

    /// Returns whether the subject reports how many bytes it holds.
    fn reports_held(&self) -> bool {
        let mut listener = HeldListener::default();
        let input = stream(&self.grammar.messages.concat());
        drive(&self.subject, &mut input.cut(&[]), &mut listener, AfterError::Stop);
        listener.reports
    }

    fn linear(&self) -> Result<Tally, Failure> {
        let messages = &self.grammar.messages;
        let repeated = messages.iter().take(3).filter(|message| !message.is_empty());
        let mut growths: Vec<Growth> = repeated
            .flat_map(|message| [1, 512].map(|chunk| Growth { start: Vec::new(), unit: message.clone(), chunk }))
            .collect();
        growths.extend(inputs::floods(&messages[..messages.len().min(3)], 2));
        let started = Instant::now();
        let mut tried = Tally::default();
        for growth in &growths {
            // A slow subject is judged by its first growths.
            if started.elapsed() > LINEAR_MAX {
                break;
            }
            linear(&self.subject, growth)?;
            tried += Tally::one(4);
        }
        Ok(tried)
    }

    fn interleaved(&self) -> Result<Tally, Failure> {
        let answers = self.answers_of_server()?;
        let exchanges: Vec<Exchange<'_>> =
            self.grammar.messages.iter().map(Vec::as_slice).zip(answers.iter().map(Vec::as_slice)).collect();
        let mut tried = Tally::default();
        let mut under = |input: &Cutting, segmentations: &Segmentations| -> Result<(), Failure> {
            let mut runs = interleaved(&self.subject, input, &[], &INTERLEAVINGS)?.segmentations;
            let broken = segmentations.try_each(input.len(), |cuts| {
                match interleaved(&self.subject, input, cuts, &INTERLEAVINGS) {
                    Ok(coverage) => runs += coverage.segmentations,
                    Err(violation) => return ControlFlow::Break(violation),
                }
                ControlFlow::Continue(())
            });
            tried += Tally::one(runs);
            if let ControlFlow::Break(violation) = broken { Err(violation.into()) } else { Ok(()) }
        };
        for input in inputs::conversations(&exchanges, self.dependent) {
            let segmentations = match input.len() {
                0..=160 => Segmentations::up_to_one_cut().and_random(5, 32),
                _ => Segmentations::every_byte().and_random(5, 64),
            };
            under(&input, &segmentations)?;
        }
        for Case { input, .. } in self.recorded()? {
            under(&input, &Segmentations::random(5, 16))?;
        }
        if !self.dependent {
            for Case { input, cuts } in self.chance().conversations(&exchanges, self.cases / 4) {
                tried += Tally::one(interleaved(&self.subject, &input, &cuts, &INTERLEAVINGS)?.segmentations);
            }
        }
        Ok(tried)
    }

    /// Returns the answer to each message. Refuses answers that the session does not read: behind
    /// such bytes its messages may depend on the order of the chunks.
    fn answers_of_server(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let messages = &self.grammar.messages;
        let given = !self.answers.is_empty();
        let answers = if given { &self.answers } else { messages };
        if answers.len() != messages.len() {
            return Err(Failure::Unfit(format!(
                "there are {} answers to {} messages: give one for each message, `\"\"` where there is none",
                answers.len(),
                messages.len()
            )));
        }
        let all: Vec<Exchange<'_>> =
            messages.iter().map(Vec::as_slice).zip(answers.iter().map(Vec::as_slice)).collect();
        let input = inputs::conversation(all);
        pulse::input(&input);
        let [_, server] = sides(&self.subject, input.cut(&[]));
        let unread = server.iter().find(|message| matches!(message.outcome, Outcome::Malformed | Outcome::Incomplete));
        match unread {
            None => Ok(answers.clone()),
            Some(message) if given => {
                Err(Failure::Unfit(format!("an answer of the definition is not read: {message}")))
            }
            Some(_) => Err(Failure::Unfit(
                "the server's side does not read the messages: give its `answers`, one for each message, or \
                 leave the law out with `without: [Interleaved => \"why\"]`"
                    .to_owned(),
            )),
        }
    }

    fn round_trip(&self) -> Result<Tally, Failure> {
        let Some(encode) = &self.encode else {
            return Ok(Tally::default());
        };
        let encoded = Cell::new(false);
        let encode = |event: &S::Event| {
            let bytes = encode(event);
            encoded.set(encoded.get() || bytes.is_some());
            bytes
        };
        let mut tried = Tally::default();
        for message in &self.grammar.messages {
            round_trip(&self.subject, message, self.canonical, encode)?;
            tried += Tally::one(2);
        }
        for Case { input, .. } in self.chance().cases(&self.grammar(), self.cases) {
            round_trip(&self.subject, &input.bytes(), false, encode)?;
            tried += Tally::one(2);
        }
        if !encoded.get() {
            return Err(Failure::NotTried("the encoder encodes none of the events".to_owned()));
        }
        Ok(tried)
    }
}

/// Notes whether the subject reports how many bytes it holds.
#[derive(Default)]
struct HeldListener {
    reports: bool,
}

impl<E, F> Listener<E, F> for HeldListener {
    fn receive(&mut self, _: Output<E, F>) {}
    fn holds(&mut self, _: usize) {
        self.reports = true;
    }
}

/// Notes the error with which a message is refused before the stream has ended, and whether there
/// was an event.
#[derive(Default)]
struct RefusalListener {
    asked: usize,
    refusal: Option<String>,
    panic: Option<String>,
    says_something: bool,
}

impl<E: Debug, F: Debug> Listener<E, F> for RefusalListener {
    fn receive(&mut self, output: Output<E, F>) {
        match &output {
            Output::Event(_) => self.says_something = true,
            Output::Error(error) if self.asked < 2 && self.refusal.is_none() => {
                // The text of an error with its values, on one line.
                let text = format!("{error:#?}");
                self.refusal = Some(text.split_whitespace().collect::<Vec<_>>().join(" "));
            }
            Output::Breach(breach @ Breach::Panicked(_)) => self.panic = Some(breach.to_string()),
            _ => {}
        }
    }
    fn asked(&mut self) {
        self.asked += 1;
    }
}
