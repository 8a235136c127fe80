//! The stages, one for each type of fault.

mod cutting;
mod ending;
mod messages;
mod slowing;

use enjamb::Time;

use self::cutting::{Coalesce, Recut, Slicer};
use self::ending::{LimitData, ResetPeer, SlowClose, Timeout};
use self::messages::MessageStage;
use self::slowing::{Bandwidth, Latency};
use crate::effect::Effect;
use crate::stage::Stage;

/// Makes the stage of an effect. `id` is that of the fault, and `now` the time at which it begins.
pub(crate) fn stage(effect: &Effect, id: u64, random: fastrand::Rng, now: Time) -> Box<dyn Stage> {
    match effect {
        Effect::Latency { latency, jitter } => Box::new(Latency::new(*latency, *jitter, random)),
        Effect::Bandwidth { rate } => Box::new(Bandwidth::new(*rate)),
        Effect::SlowClose { delay } => Box::new(SlowClose::new(*delay)),
        Effect::Timeout { timeout } => Box::new(Timeout::new(*timeout, now)),
        Effect::ResetPeer { timeout } => Box::new(ResetPeer::new(*timeout)),
        Effect::Slicer { average_size, size_variation, delay } => {
            Box::new(Slicer::new(*average_size, *size_variation, *delay, random))
        }
        Effect::LimitData { bytes } => Box::new(LimitData::new(*bytes)),
        Effect::Recut { cuts, size } => Box::new(Recut::new(*cuts, *size, random)),
        Effect::Coalesce { time, bytes } => Box::new(Coalesce::new(*time, *bytes)),
        Effect::Corrupt { .. }
        | Effect::Drop { .. }
        | Effect::Duplicate { .. }
        | Effect::Delay { .. }
        | Effect::Cut { .. } => Box::new(MessageStage::new(effect.clone(), id, random)),
    }
}
