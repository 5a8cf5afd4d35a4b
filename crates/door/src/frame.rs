//! A message as bytes and back. What comes from inside a box is hostile: nothing is allocated
//! that the frame's own length does not pay for, and what is left over is an error.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest frame. A program with more arguments or variables than fit is refused by name.
pub const FRAME_BYTES_MAX: usize = 128 * 1024;

/// Why bytes are not a message, or a message does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than a frame may be.
    #[error("a frame is longer than {FRAME_BYTES_MAX} bytes")]
    TooLong,
    /// Not a message of this protocol.
    #[error("a frame holds no message")]
    Malformed,
    /// A message with something after it.
    #[error("a frame holds {0} bytes after its message")]
    Trailing(usize),
}

/// The message as a frame.
///
/// # Errors
/// When it does not fit into one.
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, FrameError> {
    let bytes = postcard::to_allocvec(message).map_err(|_| FrameError::Malformed)?;
    if bytes.len() > FRAME_BYTES_MAX { Err(FrameError::TooLong) } else { Ok(bytes) }
}

/// The message of a frame.
///
/// # Errors
/// When the bytes are not exactly one message.
pub fn decode<M: DeserializeOwned>(frame: &[u8]) -> Result<M, FrameError> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong);
    }
    match postcard::take_from_bytes(frame) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(FrameError::Trailing(rest.len())),
        Err(_) => Err(FrameError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Ended, ToGuest, ToHost};
    use proptest::prelude::*;

    #[test]
    fn a_message_comes_back_as_it_went() {
        let ended =
            ToHost::Exited { process: 7, ended: Ended::Code(3), timed_out: false, cpu_us: 9, memory_peak_bytes: 1 };
        assert_eq!(decode::<ToHost>(&encode(&ended).unwrap()), Ok(ended));
    }

    #[test]
    fn what_is_left_over_is_an_error() {
        let mut frame = encode(&ToHost::Ready).unwrap();
        frame.push(0);
        assert_eq!(decode::<ToHost>(&frame), Err(FrameError::Trailing(1)));
    }

    #[test]
    fn a_length_that_nothing_pays_for_is_refused() {
        // A `Start` whose list of arguments claims to be four billion long.
        let frame = [1, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F];
        assert_eq!(decode::<ToGuest>(&frame), Err(FrameError::Malformed));
        assert_eq!(decode::<ToHost>(&vec![0; FRAME_BYTES_MAX + 1]), Err(FrameError::TooLong));
    }

    #[test]
    fn a_message_that_does_not_fit_is_refused() {
        let start = ToGuest::start(1, vec!["x".repeat(FRAME_BYTES_MAX)]);
        assert_eq!(encode(&start), Err(FrameError::TooLong));
    }

    proptest! {
        #[test]
        fn no_bytes_bring_the_reader_down(bytes: Vec<u8>) {
            if let Ok(message) = decode::<ToHost>(&bytes) {
                prop_assert_eq!(decode::<ToHost>(&encode(&message).unwrap()), Ok(message));
            }
            let _ = decode::<ToGuest>(&bytes);
        }
    }
}
