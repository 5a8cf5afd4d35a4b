//! What a run says, as server-sent events. Must not know: what it means.

use std::sync::Arc;
use std::time::Duration;

use aegis_dispatch::run::LiveRun;
use aegis_dispatch::run::events::{EventKind, RunEvent};
use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::channel::{Channel, Sender};

use crate::auth::Holder;

/// Pieces that are on their way to a listener at most.
const PIECES: usize = 16;
/// How often a listener is told that the stream lives.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// Follows a run from after that event on, to its end, for as long as whoever listens may.
pub(crate) fn follow(live: Arc<LiveRun>, after: u64, holder: Holder) -> Body {
    let (sender, body) = Channel::<Bytes>::new(PIECES);
    tokio::spawn(async move {
        tokio::select! {
            () = tell(&live, after, sender) => {}
            () = holder.lost() => {}
        }
    });
    Body::new(body)
}

async fn tell(live: &LiveRun, after: u64, mut sender: Sender<Bytes>) {
    let mut last = after;
    loop {
        for event in live.events.after(last) {
            last = event.id;
            // A listener that is gone does not stop the run.
            if sender.send_data(written(&event)).await.is_err() || event.kind == EventKind::Outcome {
                return;
            }
        }
        let quiet = tokio::time::timeout(ALIVE_EVERY, live.events.wait(last)).await.is_err();
        if quiet && sender.send_data(Bytes::from_static(b": alive\n\n")).await.is_err() {
            return;
        }
    }
}

/// The events of a run that is not remembered any more: what became of it.
pub fn ended(outcome: &impl serde::Serialize, id: u64) -> Body {
    let data: Bytes = serde_json::to_vec(outcome).unwrap_or_default().into();
    Body::from(written(&RunEvent { id, kind: EventKind::Outcome, data }))
}

/// JSON has no line breaks of its own, so one line of data is enough.
fn written(event: &RunEvent) -> Bytes {
    let mut text = BytesMut::with_capacity(event.data.len() + 64);
    text.put_slice(format!("id: {}\nevent: {}\ndata: ", event.id, event.kind.as_str()).as_bytes());
    text.put_slice(&event.data);
    text.put_slice(b"\n\n");
    text.freeze()
}
