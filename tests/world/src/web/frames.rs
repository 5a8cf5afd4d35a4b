//! WebSocket frames of a client turned into the same frames of a server, which hides nothing
//! behind a mask. Must not know: connections.

const HAS_MASK: u8 = 0x80;

/// What came of a frame that is not whole yet.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    pending: Vec<u8>,
}

impl Frames {
    /// Takes bytes and gives the answers to all frames that are whole by now.
    pub(crate) fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.pending.extend(bytes);
        let mut answers = Vec::new();
        while let Some((answer, length)) = answer_one(&self.pending) {
            answers.extend(answer);
            self.pending.drain(..length);
        }
        answers
    }
}

/// The answer to the first frame, and how long that frame is.
fn answer_one(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let second = *bytes.get(1)?;
    let (extra, length) = match second & !HAS_MASK {
        126 => (2, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (8, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (0, u64::from(short)),
    };
    let mask_at = 2 + extra;
    let mask = if second & HAS_MASK == 0 { &[][..] } else { bytes.get(mask_at..mask_at + 4)? };
    let start = mask_at + mask.len();
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    let payload = bytes.get(start..end)?;
    let mut answer = bytes[..mask_at].to_vec();
    answer[1] &= !HAS_MASK;
    answer.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask.get(at % 4).unwrap_or(&0)));
    Some((answer, end))
}
