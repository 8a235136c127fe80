//! A server under the laws: request bytes in, replies out, through the real runtime.

use enjamb::Framer;
use enjamb_law::{Exchange, Serving, laws};
use enjamb_net::{Options, QueuePolicy, run};

use crate::services::{Diary, Lines, echo, noted};

fn options() -> Options {
    let mut options = Options::default();
    // Small, so that short inputs reach them.
    options.read_buffer = 16.try_into().unwrap();
    options.write_buffer = 16.try_into().unwrap();
    options.events_per_turn = 2.try_into().unwrap();
    options.max_queued = 32;
    options
}

async fn served(connection: Exchange) {
    run(connection, noted(&Diary::default(), echo), &options()).await;
}

async fn notified(connection: Exchange) {
    let mut options = options();
    options.when_queue_full = QueuePolicy::Notify;
    options.max_queued = 1 << 20;
    run(connection, noted(&Diary::default(), echo), &options).await;
}

laws! {
    mod waiting {
        subject: Serving::new(served, || Framer::whole(Lines)),
        messages: ["one\n", "two\n", "\n"],
    }
}

laws! {
    mod notifying {
        subject: Serving::new(notified, || Framer::whole(Lines)),
        messages: ["one\n", "two\n", "\n"],
    }
}
