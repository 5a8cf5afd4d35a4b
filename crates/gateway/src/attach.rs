//! A connection that belongs to one program in a box: frames in both directions until it has
//! ended. Must not know: which program, or who may start it.

use std::time::Duration;

use aegis_model::boxes::{BoxError, BoxSignal};
use aegis_model::exec::{EXEC_FRAME_BYTES_MAX, ExecEnding, ExecFrame};
use aegis_model::port::{ByteSink, ByteSource, ClosedSink, Running, Steering};
use bytes::{Bytes, BytesMut};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::auth::Holder;

/// How long is said on what a program said last to a caller who is gone.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Frames that are on their way at most.
const FRAMES: usize = 8;

/// Carries frames until the program has ended, and tells how. A program whose connection
/// breaks, or whose caller may not go on, is killed.
#[expect(clippy::disallowed_methods, reason = "last words have a time limit")]
pub(crate) async fn attach(upgrade: OnUpgrade, running: Running, holder: Holder) -> ExecEnding {
    let Running { mut input, mut output, mut errors, steering } = running;
    let Ok(connection) = upgrade.await else {
        let _gone = steering.signal(BoxSignal::Kill).await;
        return steering.ending().await.into();
    };
    let (mut from, mut to) = tokio::io::split(TokioIo::new(connection));
    let (frames, mut sending) = mpsc::channel::<ExecFrame>(FRAMES);
    let writing = async {
        while let Some(frame) = sending.recv().await {
            if write(&mut to, &frame).await.is_err() {
                return;
            }
        }
        let _closed = to.shutdown().await;
    };
    let saying = async {
        let (said, complained) = (frames.clone(), frames);
        tokio::join!(
            pass(output.as_mut(), &said, ExecFrame::Output),
            pass(errors.as_mut(), &complained, ExecFrame::Errors),
        );
        let ending = ExecEnding::from(steering.ending().await);
        let _gone = said.send(ExecFrame::Ended(ending.clone())).await;
        ending
    };
    let hearing = async {
        tokio::select! {
            () = hear(&mut from, &mut input, steering.as_ref()) => {}
            () = holder.lost() => {}
        }
        // Nobody is there any more, or nobody who may be.
        let _gone = steering.signal(BoxSignal::HangUp).await;
        let _gone = steering.signal(BoxSignal::Kill).await;
        // Whoever does not take what is still said is not waited for.
        tokio::time::sleep(LAST_WORDS).await;
    };
    let speaking = async { tokio::join!(writing, saying).1 };
    tokio::select! {
        ending = speaking => ending,
        () = hearing => steering.ending().await.into(),
    }
}

async fn pass(source: &mut dyn ByteSource, frames: &mpsc::Sender<ExecFrame>, frame: fn(Bytes) -> ExecFrame) {
    while let Ok(Some(mut bytes)) = source.read().await {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(EXEC_FRAME_BYTES_MAX));
            // Whoever does not listen any more is noticed elsewhere; the program is read on.
            let _gone = frames.send(frame(piece)).await;
        }
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), frame: &ExecFrame) -> std::io::Result<()> {
    to.write_all(&frame.encode()).await?;
    to.flush().await
}

/// Obeys frames until the connection ends or says what is none.
async fn hear(from: &mut (impl tokio::io::AsyncRead + Unpin), input: &mut Box<dyn ByteSink>, steering: &dyn Steering) {
    let mut received = BytesMut::new();
    loop {
        while let Ok(Some(frame)) = ExecFrame::decode(&mut received) {
            obey(frame, input, steering).await;
        }
        // What is no frame stays at the front and ends the connection here.
        if received.len() > 2 * EXEC_FRAME_BYTES_MAX || ExecFrame::decode(&mut received).is_err() {
            return;
        }
        match from.read_buf(&mut received).await {
            Ok(length) if length > 0 => {}
            _ => return,
        }
    }
}

async fn obey(frame: ExecFrame, input: &mut Box<dyn ByteSink>, steering: &dyn Steering) {
    // A program that has ended, or does not read, is noticed by its output.
    let _gone: Result<(), BoxError> = match frame {
        ExecFrame::Input(bytes) => input.write(bytes).await,
        ExecFrame::InputEnd => {
            *input = Box::new(ClosedSink);
            Ok(())
        }
        ExecFrame::Resize(size) => steering.resize(size).await,
        ExecFrame::Signal(signal) => steering.signal(signal).await,
        ExecFrame::Output(_) | ExecFrame::Errors(_) | ExecFrame::Ended(_) => Ok(()),
    };
}
