//! Bytes from one side to the other, in both directions, until both have said everything. What
//! rests holds no buffer. Must not know what is said.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use aegis_model::boxes::BoxError;
use aegis_model::port::Stream;

use crate::live::Meter;

/// Bytes that are moved at once.
const PIECE_BYTES: usize = 128 * 1024;
/// Pieces that one connection may move before others get their turn.
const PIECES_AT_ONCE: usize = 4;

thread_local! {
    /// What is on its way during one turn. A turn waits for nothing, so each thread needs one.
    static PIECE: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE_BYTES]);
}

/// In which direction bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Out of the box.
    Out,
    /// Into the box.
    In,
}

/// One direction of a connection.
struct Flow<'s> {
    from: &'s dyn Stream,
    to: &'s dyn Stream,
    direction: Direction,
    /// What was taken in and not passed on.
    left: Vec<u8>,
    /// Whether no more come.
    ended: bool,
    /// Whether the other side was told so.
    told: bool,
}

impl Flow<'_> {
    fn poll(&mut self, context: &mut Context<'_>, meter: &Meter) -> Poll<Result<(), BoxError>> {
        if self.told {
            return Poll::Ready(Ok(()));
        }
        for _ in 0..PIECES_AT_ONCE {
            ready!(self.poll_left(context))?;
            if self.ended {
                self.to.shut();
                self.told = true;
                return Poll::Ready(Ok(()));
            }
            let moved = PIECE.with_borrow_mut(|piece| self.poll_piece(context, piece));
            let length = ready!(moved)?;
            meter.count(self.direction, length);
        }
        // Others first.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Passes on what is left of the piece before.
    fn poll_left(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        while !self.left.is_empty() {
            let sent = ready!(self.to.poll_write(context, &self.left))?;
            self.left.drain(..sent.min(self.left.len()));
        }
        // What rests holds no buffer.
        self.left = Vec::new();
        Poll::Ready(Ok(()))
    }

    /// Takes one piece in, and passes on what can be passed on now.
    fn poll_piece(&mut self, context: &mut Context<'_>, piece: &mut [u8]) -> Poll<Result<usize, BoxError>> {
        let length = ready!(self.from.poll_read(context, piece))?;
        let mut rest = piece.get(..length).unwrap_or_default();
        self.ended = rest.is_empty();
        while !rest.is_empty() {
            match self.to.poll_write(context, rest)? {
                Poll::Ready(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Poll::Pending => {
                    self.left = rest.to_vec();
                    break;
                }
            }
        }
        Poll::Ready(Ok(length))
    }
}

/// Moves bytes between what is inside and what is outside until both have said everything.
/// What `said` holds was taken in inside before, and goes first.
///
/// # Errors
/// When either side breaks.
pub(crate) async fn relay(
    (inside, outside): (&dyn Stream, &dyn Stream),
    said: Vec<u8>,
    meter: &Meter,
) -> Result<(), BoxError> {
    meter.count(Direction::Out, said.len());
    let flow = |from, to, direction, left| Flow { from, to, direction, left, ended: false, told: false };
    let mut out = flow(inside, outside, Direction::Out, said);
    let mut back = flow(outside, inside, Direction::In, Vec::new());
    poll_fn(|context| {
        let (out, back) = (out.poll(context, meter)?, back.poll(context, meter)?);
        if out.is_ready() && back.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}
