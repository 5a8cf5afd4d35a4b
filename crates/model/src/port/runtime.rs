//! Boxes, whatever they are made of.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;

use crate::boxes::{BoxCounts, BoxEnd, BoxError, BoxPlan, BoxSignal, BoxStats, Ending, Program, TerminalSize};
use crate::life::box_cycle::State;
use crate::manifest::Isolation;

/// Makes boxes of one kind.
///
/// Guarantees every adapter keeps (the conformance suite tests them):
/// - a box that was given out is isolated before anything of the agent runs in it;
/// - a box that could not be made leaves nothing behind, and the reason is named;
/// - a killed box, with everything in it, is gone when `kill` has answered, within a second,
///   whatever it does; nothing of it stays on the host;
/// - what ends a box, or a program in it, is told: `Ending` and `BoxEnd` name the reason;
/// - bytes are neither lost nor reordered; who does not read makes the writer wait;
/// - what one box does, no other box and not the host notices, beyond its resources;
/// - boxes of a server that died are gone when its successor has opened the same place.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// What these boxes are made of.
    fn isolation(&self) -> Isolation;

    /// Makes a box: cold to warm. Its agent, if the plan names one, has been started.
    async fn create(&self, plan: BoxPlan) -> Result<Arc<dyn LiveBox>, BoxError>;

    /// What became of its boxes so far.
    fn counts(&self) -> BoxCounts;

    /// How many boxes live.
    fn alive(&self) -> usize {
        self.counts().alive
    }

    /// Kills every box, and ends when all are gone.
    async fn kill_all(&self);

    /// Makes no more boxes, kills every box, and gives everything back to the machine.
    async fn close(&self);
}

/// A box that lives, or lived.
#[async_trait]
pub trait LiveBox: Send + Sync {
    /// Where it is in its life.
    fn state(&self) -> State;

    /// Its session has work for it: warm to hot.
    async fn claim(&self) -> Result<(), BoxError>;

    /// The work is done: hot to warm.
    async fn release(&self) -> Result<(), BoxError>;

    /// Gives the waiting agent its input, all of it, and the streams to listen to. An agent is
    /// invoked once; a box without one waiting has nobody to invoke.
    async fn invoke(&self, input: Bytes) -> Result<Running, BoxError>;

    /// Starts a program beside whatever runs.
    async fn exec(&self, program: Program) -> Result<Running, BoxError>;

    /// Connects to a server in the box, which listens on that port of the box's own loopback.
    /// One that nobody listens on is `NotListening`.
    async fn connect(&self, port: u16) -> Result<Connection, BoxError>;

    /// What something inside opens, to the API or to the world. It is given out once; what is
    /// opened before waits, and what nobody takes is closed when too much waits.
    fn openings(&self) -> Option<Box<dyn Openings>>;

    /// Writes a file below `/workspace`, with the directories that lead to it. It appears
    /// whole or not at all.
    async fn file_put(&self, path: &str, bytes: Bytes, executable: bool) -> Result<(), BoxError>;

    /// Reads an ordinary file below `/workspace`, if it is not longer than `bytes_max`.
    async fn file_get(&self, path: &str, bytes_max: u64) -> Result<Bytes, BoxError>;

    /// What it uses and has used.
    async fn stats(&self) -> Result<BoxStats, BoxError>;

    /// Nothing in it runs from now on.
    async fn pause(&self) -> Result<(), BoxError>;

    /// Everything in it runs again.
    async fn resume(&self) -> Result<(), BoxError>;

    /// Asks everything in it to end, and kills what has not after the grace time.
    async fn stop(&self, grace_ms: u64) -> BoxEnd;

    /// Ends it now. Safe to repeat; when it answers, nothing is left.
    async fn kill(&self) -> BoxEnd;

    /// Waits until it is gone, and says why.
    async fn ended(&self) -> BoxEnd;
}

/// A program that runs in a box.
pub struct Running {
    /// What it reads.
    pub input: Box<dyn ByteSink>,
    /// What it writes; with a terminal, everything it shows.
    pub output: Box<dyn ByteSource>,
    /// What it complains about; empty with a terminal.
    pub errors: Box<dyn ByteSource>,
    /// How it is steered.
    pub steering: Arc<dyn Steering>,
}

/// A stream between the host and something in a box; closed when the last one lets go of it. Each
/// direction is used by one at a time.
pub trait Stream: Send + Sync {
    /// Takes bytes in; none when no more come. A stream that breaks is an error, not its end.
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, BoxError>>;

    /// Passes some of the bytes on.
    fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, BoxError>>;

    /// Says that no more bytes go there.
    fn shut(&self);
}

/// A connection to a server in a box, in pieces; closed when both of its directions are dropped.
pub struct Connection {
    /// What the server reads.
    pub input: Box<dyn ByteSink>,
    /// What it says. A connection that breaks is an error, not the end of what it says.
    pub output: Box<dyn ByteSource>,
}

impl Connection {
    /// That stream, in pieces.
    pub fn of(stream: Arc<dyn Stream>) -> Self {
        Self { input: Box::new(Input(Arc::clone(&stream))), output: Box::new(Output(stream)) }
    }
}

/// Bytes that are taken in at once.
const PIECE_BYTES: usize = 16 * 1024;

/// What the other side says.
struct Output(Arc<dyn Stream>);

#[async_trait]
impl ByteSource for Output {
    async fn read(&mut self) -> Result<Option<Bytes>, BoxError> {
        poll_fn(|context| {
            // What comes is mostly short, and nothing comes mostly at first.
            let mut piece = [0; PIECE_BYTES];
            let taken = std::task::ready!(self.0.poll_read(context, &mut piece))?;
            Poll::Ready(Ok(piece.get(..taken).filter(|taken| !taken.is_empty()).map(Bytes::copy_from_slice)))
        })
        .await
    }
}

/// What is said to the other side.
struct Input(Arc<dyn Stream>);

#[async_trait]
impl ByteSink for Input {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BoxError> {
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            let passed = poll_fn(|context| self.0.poll_write(context, rest)).await?;
            rest = rest.get(passed..).unwrap_or_default();
        }
        Ok(())
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.0.shut();
    }
}

/// What something in a box opens.
pub enum Opening {
    /// A stream; the box's side is the client's.
    Stream {
        /// Where it leads.
        towards: Towards,
        /// The stream.
        stream: Arc<dyn Stream>,
    },
    /// The question on which ports a name may be reached.
    Name {
        /// The name, as something inside spelt it.
        name: String,
        /// Who wants to know.
        asker: Box<dyn NameAsker>,
    },
}

/// Where a stream that something in a box opened leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Towards {
    /// To the API.
    Api,
    /// Wherever it says itself, as to a proxy.
    Proxy,
    /// To a host whose name was resolved inside.
    Host {
        /// The name, as something inside spelt it.
        name: String,
        /// The port.
        port: u16,
    },
}

/// Waits for what became of a name.
#[async_trait]
pub trait NameAsker: Send {
    /// The name may be reached on these ports; on none if there is no grant for it.
    async fn tell(self: Box<Self>, ports: Vec<u16>);
}

/// What something in a box opens, as it comes.
#[async_trait]
pub trait Openings: Send {
    /// The next one; `None` when the box is gone.
    async fn next(&mut self) -> Option<Opening>;
}

/// Steering a program that runs.
#[async_trait]
pub trait Steering: Send + Sync {
    /// Sends a signal to it and to what it started.
    async fn signal(&self, signal: BoxSignal) -> Result<(), BoxError>;

    /// Its terminal has another size now.
    async fn resize(&self, size: TerminalSize) -> Result<(), BoxError>;

    /// Waits until it has ended.
    async fn ending(&self) -> Ending;
}

/// Bytes that come.
#[async_trait]
pub trait ByteSource: Send + Sync {
    /// The next bytes; `None` when no more come.
    async fn read(&mut self) -> Result<Option<Bytes>, BoxError>;
}

/// Bytes that go. Dropping it says that no more come.
#[async_trait]
pub trait ByteSink: Send + Sync {
    /// Passes bytes on; ends when they are on their way.
    async fn write(&mut self, bytes: Bytes) -> Result<(), BoxError>;
}

/// Nothing more goes there.
#[derive(Clone, Copy, Debug)]
pub struct ClosedSink;

#[async_trait]
impl ByteSink for ClosedSink {
    async fn write(&mut self, _: Bytes) -> Result<(), BoxError> {
        Err(BoxError::State("not reading any more"))
    }
}

/// What a program said until its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub ending: Ending,
    /// All of its output.
    pub output: Bytes,
    /// The end of its complaints.
    pub errors: Bytes,
}

/// The most that is kept of a program's complaints: their end says why it failed.
const ERRORS_KEPT_BYTES: usize = 64 * 1024;

impl Running {
    /// Reads everything until the program ends.
    ///
    /// # Errors
    /// When the output is longer than `output_bytes_max`; the program is killed then.
    pub async fn collect(self, output_bytes_max: usize) -> Result<Answer, BoxError> {
        let Self { input, mut output, mut errors, steering } = self;
        drop(input);
        let mut kept = Vec::new();
        let mut complaints = Vec::new();
        let reading = read_all(output.as_mut(), &mut kept, output_bytes_max);
        let complaining = read_end(errors.as_mut(), &mut complaints);
        if let (Err(error), _) = join(reading, complaining).await {
            steering.signal(BoxSignal::Kill).await?;
            return Err(error);
        }
        let ending = steering.ending().await;
        Ok(Answer { ending, output: Bytes::from(kept), errors: Bytes::from(complaints) })
    }
}

async fn read_all(source: &mut dyn ByteSource, kept: &mut Vec<u8>, most: usize) -> Result<(), BoxError> {
    while let Some(bytes) = source.read().await? {
        if kept.len().saturating_add(bytes.len()) > most {
            return Err(BoxError::OutputTooLong(most));
        }
        kept.extend_from_slice(&bytes);
    }
    Ok(())
}

async fn read_end(source: &mut dyn ByteSource, kept: &mut Vec<u8>) -> Result<(), BoxError> {
    while let Some(bytes) = source.read().await? {
        kept.extend_from_slice(&bytes);
        let over = kept.len().saturating_sub(ERRORS_KEPT_BYTES);
        kept.drain(..over);
    }
    Ok(())
}

/// Both at the same time; ends early only if the first fails. This room has no async runtime
/// to borrow one from.
async fn join<E>(
    first: impl Future<Output = Result<(), E>>,
    second: impl Future<Output = Result<(), E>>,
) -> (Result<(), E>, Option<Result<(), E>>) {
    use std::pin::pin;
    use std::task::Poll;

    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut first_done, mut second_done) = (None, None);
    std::future::poll_fn(move |context| {
        if first_done.is_none()
            && let Poll::Ready(result) = first.as_mut().poll(context)
        {
            first_done = Some(result);
        }
        if second_done.is_none()
            && let Poll::Ready(result) = second.as_mut().poll(context)
        {
            second_done = Some(result);
        }
        match (first_done.take(), second_done.take()) {
            (Some(Err(error)), done) => Poll::Ready((Err(error), done)),
            (Some(done), Some(other)) => Poll::Ready((done, Some(other))),
            (one, other) => {
                (first_done, second_done) = (one, other);
                Poll::Pending
            }
        }
    })
    .await
}
