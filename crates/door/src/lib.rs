//! What is spoken at the door of a box: the messages between the host and the guest, their
//! limits, and the description of a box that the guest sets up.
//!
//! ```text
//!   host                                   guest (PID 1 of the box)
//!    │  Setup, once, first                  │
//!    │ ───────────────────────────────────► │  sets the box up, then
//!    │                                Ready │
//!    │ ◄─────────────────────────────────── │
//!    │  Start · Signal · Read · Connect …   │
//!    │ ───────────────────────────────────► │
//!    │  Started · Exited · Done · Connected │
//!    │ ◄─────────────────────────────────── │
//! ```
//!
//! One *control stream* per box carries these messages, one frame each. It is there before
//! anything of the agent is. Every other stream is a connection of its own: on a Unix door a
//! socket that travels beside a message, made by the side the receiver may trust. So the
//! kernel multiplexes, with back-pressure, and nobody inside can reach another's stream. A
//! connection to a server inside can only be made inside; the host looks at what it is handed.
//! What a program inside says to the API, or to the world, comes the same way: the guest listens
//! on the box's loopback, and hands over each connection that it takes there. Names are asked for
//! by message: the host says whether a name may be reached, and never what it resolves to.
//!
//! Must not know: sockets, the clock, what a message brings about.
#![deny(clippy::indexing_slicing)]

pub mod dialogue;
pub mod dns;
pub mod frame;
pub mod limits;
pub mod message;
pub mod setup;

pub use dialogue::{Dialogue, Violation};
pub use frame::{FRAME_BYTES_MAX, FrameError, decode, encode};
pub use limits::{Allowance, DESCRIPTORS_MAX, Limits};
pub use message::{
    API_PORT, Ended, Failure, FileFailure, JobId, NAMES_PORT, PROXY_PORT, ProcessId, QuestionId, STREAMS_AT_ONCE,
    StreamKind, TO_HOST_BYTES_MAX, ToGuest, ToHost,
};
pub use setup::{Descriptors, Limit, Mount, Setup, Source};
