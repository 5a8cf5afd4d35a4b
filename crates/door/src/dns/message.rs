//! What questions and answers are both made of: kinds, names, records, and the length in front
//! of a message in a stream. Must not know: what is asked, and what it is answered.

/// The longest message there is.
pub const MESSAGE_BYTES_MAX: usize = 65_535;

pub(super) const HEADER_BYTES: usize = 12;
pub(super) const CLASS_IN: u16 = 1;
pub(super) const KIND_CNAME: u16 = 5;
pub(super) const KIND_OPT: u16 = 41;
/// What fits into one datagram on every path.
pub(super) const DATAGRAM_BYTES: u16 = 1_232;
/// The bits of a header that say what a message is.
pub(super) const FLAG_RESPONSE: u16 = 0x8000;
pub(super) const FLAG_TRUNCATED: u16 = 0x0200;
pub(super) const FLAG_RECURSION_DESIRED: u16 = 0x0100;
pub(super) const FLAG_RECURSION_AVAILABLE: u16 = 0x0080;

/// The longest name as bytes of a message, with the zero at its end.
const NAME_WIRE_BYTES_MAX: usize = 255;
const LABEL_BYTES_MAX: usize = 63;
/// How often one name may continue elsewhere.
const JUMPS_MAX: usize = 64;

/// What is asked of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Its IPv4 addresses.
    A,
    /// Its IPv6 addresses.
    Aaaa,
    /// The name of an address.
    Ptr,
    /// How its web server is reached.
    Https,
    /// How its service is reached.
    Svcb,
    /// Anything else, by its number.
    Other(u16),
}

impl Kind {
    /// The kind of this number.
    pub fn of(code: u16) -> Self {
        match code {
            1 => Self::A,
            28 => Self::Aaaa,
            12 => Self::Ptr,
            65 => Self::Https,
            64 => Self::Svcb,
            other => Self::Other(other),
        }
    }

    /// Its number.
    pub fn code(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Aaaa => 28,
            Self::Ptr => 12,
            Self::Https => 65,
            Self::Svcb => 64,
            Self::Other(code) => code,
        }
    }
}

/// Why bytes are not the message that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsProblem {
    /// Not even a header, so there is nobody to answer.
    #[error("a message is shorter than its header")]
    NoHeader,
    /// Longer than a message can be.
    #[error("a message is longer than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    /// An answer where a question was expected. To answer it could go on for ever.
    #[error("a message is an answer and not a question")]
    NotAQuestion,
    /// A question that asks for something else than a record.
    #[error("a question is of the kind `{opcode}`, which is not answered here")]
    NotImplemented {
        /// The number of the question.
        id: u16,
        /// What it asks for.
        opcode: u8,
    },
    /// A message with a header, and something wrong behind it.
    #[error("the message `{id}` is malformed: {flaw}")]
    Malformed {
        /// The number of the message.
        id: u16,
        /// What is wrong.
        flaw: Flaw,
    },
    /// A name that cannot be asked for.
    #[error("a name cannot be asked for")]
    Name,
    /// An answer to another question, by its number.
    #[error("an answer has another number than its question")]
    OtherId,
    /// A question where an answer was expected.
    #[error("a message is a question and not an answer")]
    NotAnAnswer,
    /// An answer to another question.
    #[error("an answer repeats another question")]
    OtherQuestion,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It ends too early.
    #[error("it ends too early")]
    Short,
    /// Something is behind its end.
    #[error("it has bytes behind its end")]
    Trailing,
    /// A count that no such message has.
    #[error("it holds a wrong number of questions or records")]
    Counts,
    /// A label of no known form.
    #[error("a label has an unknown form")]
    Label,
    /// A name longer than a name can be.
    #[error("a name is too long")]
    NameTooLong,
    /// A name that continues elsewhere, where it may not, or too often, or not further ahead.
    #[error("a name continues where it may not")]
    Pointer,
    /// Another network than the internet.
    #[error("it is of another class")]
    Class,
    /// More than one statement about extensions, or a misplaced one.
    #[error("it describes its extensions wrongly")]
    Extensions,
    /// A record that does not hold what its kind says.
    #[error("a record has a wrong length")]
    Record,
    /// More records than can be meant.
    #[error("it holds too many records")]
    TooManyRecords,
    /// Aliases that lead back, or too far, or in two directions, or to what is no host.
    #[error("its aliases lead nowhere")]
    Aliases,
}

/// The message with its length in front, as a stream carries it.
///
/// # Errors
/// When it is longer than a message can be.
pub fn framed(message: &[u8]) -> Result<Vec<u8>, DnsProblem> {
    let length = u16::try_from(message.len()).map_err(|_| DnsProblem::TooLong)?;
    Ok([&length.to_be_bytes(), message].concat())
}

/// The first message of a stream and how many bytes it took; nothing while some are missing.
///
/// # Errors
/// As soon as its length says that it has no header.
pub fn unframed(input: &[u8]) -> Result<Option<(&[u8], usize)>, DnsProblem> {
    let Some((length, rest)) = input.split_first_chunk::<2>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes(*length));
    if length < HEADER_BYTES {
        return Err(DnsProblem::NoHeader);
    }
    Ok(rest.get(..length).map(|message| (message, length.saturating_add(2))))
}

/// The beginning of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) flags: u16,
    pub(super) questions: u16,
    pub(super) answers: u16,
    pub(super) authorities: u16,
    pub(super) additionals: u16,
}

impl Header {
    pub(super) fn opcode(self) -> u8 {
        low_byte((self.flags >> 11) & 0x0f)
    }

    pub(super) fn rcode(self) -> u8 {
        low_byte(self.flags & 0x0f)
    }

    pub(super) fn is_response(self) -> bool {
        self.flags & FLAG_RESPONSE != 0
    }

    pub(super) fn write(self) -> Vec<u8> {
        [self.id, self.flags, self.questions, self.answers, self.authorities, self.additionals]
            .into_iter()
            .flat_map(u16::to_be_bytes)
            .collect()
    }
}

fn low_byte(number: u16) -> u8 {
    let [_, low] = number.to_be_bytes();
    low
}

/// Where names may continue elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pointers {
    Refused,
    Backwards,
}

/// A name as its text in lower case, without the dot at its end; nothing if a label holds a
/// byte that no host has, so that two names cannot become the same text.
pub(super) type Name = Option<String>;

/// What comes before the content of a record, and the content.
pub(super) struct Record<'m> {
    pub(super) owner: Name,
    pub(super) kind: u16,
    pub(super) class: u16,
    pub(super) ttl: u32,
    pub(super) content: &'m [u8],
    /// Where the content begins in the message, for the names in it.
    pub(super) content_at: usize,
}

/// A message and how far it is read.
pub(super) struct Reader<'m> {
    message: &'m [u8],
    at: usize,
}

impl<'m> Reader<'m> {
    /// The header, and the reader of what is behind it.
    pub(super) fn open(message: &'m [u8]) -> Result<(Header, Self), DnsProblem> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(DnsProblem::TooLong);
        }
        let mut reader = Self { message, at: 0 };
        let header = reader.header().map_err(|_| DnsProblem::NoHeader)?;
        Ok((header, reader))
    }

    /// A reader of the same message that stands elsewhere.
    pub(super) fn standing_at(&self, at: usize) -> Self {
        Self { message: self.message, at }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What was read since a place.
    pub(super) fn since(&self, start: usize) -> &'m [u8] {
        self.message.get(start..self.at).unwrap_or_default()
    }

    pub(super) fn finish(&self) -> Result<(), Flaw> {
        if self.at == self.message.len() { Ok(()) } else { Err(Flaw::Trailing) }
    }

    pub(super) fn number(&mut self) -> Result<u16, Flaw> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn name(&mut self, pointers: Pointers) -> Result<Name, Flaw> {
        let mut building = Building::default();
        // Where this name goes on once it is read: behind its first pointer, if it has one.
        let mut behind = None;
        let mut start = self.at;
        for _ in 0..=JUMPS_MAX {
            let Some(target) = self.labels(&mut building)? else {
                self.at = behind.unwrap_or(self.at);
                return Ok(building.finish());
            };
            // Each part begins in front of the one before, so no name can go round in circles.
            if pointers == Pointers::Refused || target >= start || target < HEADER_BYTES {
                return Err(Flaw::Pointer);
            }
            behind = behind.or(Some(self.at));
            start = target;
            self.at = target;
        }
        Err(Flaw::Pointer)
    }

    pub(super) fn record(&mut self) -> Result<Record<'m>, Flaw> {
        let owner = self.name(Pointers::Backwards)?;
        let kind = self.number()?;
        let class = self.number()?;
        let ttl = self.array().map(u32::from_be_bytes)?;
        let length = self.number()?;
        let content_at = self.at;
        let content = self.take(usize::from(length))?;
        Ok(Record { owner, kind, class, ttl, content, content_at })
    }

    /// Labels up to the end of the name, or up to the pointer to where it goes on.
    fn labels(&mut self, building: &mut Building) -> Result<Option<usize>, Flaw> {
        loop {
            let [length] = self.array::<1>()?;
            match length {
                0 => return Ok(None),
                1..=0x3f => building.push(self.take(usize::from(length))?)?,
                0xc0..=0xff => {
                    let [low] = self.array::<1>()?;
                    return Ok(Some(usize::from(u16::from_be_bytes([length & 0x3f, low]))));
                }
                _ => return Err(Flaw::Label),
            }
        }
    }

    fn header(&mut self) -> Result<Header, Flaw> {
        Ok(Header {
            id: self.number()?,
            flags: self.number()?,
            questions: self.number()?,
            answers: self.number()?,
            authorities: self.number()?,
            additionals: self.number()?,
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        self.take(N)?.try_into().map_err(|_| Flaw::Short)
    }

    fn take(&mut self, count: usize) -> Result<&'m [u8], Flaw> {
        let end = self.at.checked_add(count).ok_or(Flaw::Short)?;
        let bytes = self.message.get(self.at..end).ok_or(Flaw::Short)?;
        self.at = end;
        Ok(bytes)
    }
}

/// A name that is being read, label by label.
#[derive(Default)]
struct Building {
    text: String,
    wire_bytes: usize,
    is_odd: bool,
}

impl Building {
    fn push(&mut self, label: &[u8]) -> Result<(), Flaw> {
        self.wire_bytes = self.wire_bytes.saturating_add(label.len()).saturating_add(1);
        // The zero at the end counts too.
        if self.wire_bytes >= NAME_WIRE_BYTES_MAX {
            return Err(Flaw::NameTooLong);
        }
        if !label.iter().copied().all(can_stand_in_a_label) {
            self.is_odd = true;
        }
        if self.is_odd {
            return Ok(());
        }
        if !self.text.is_empty() {
            self.text.push('.');
        }
        self.text.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
        Ok(())
    }

    fn finish(self) -> Name {
        (!self.is_odd).then_some(self.text)
    }
}

fn can_stand_in_a_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The name as bytes of a message.
pub(super) fn write_name(name: &str) -> Result<Vec<u8>, DnsProblem> {
    // A byte for each label's length stands where its dot was, one more in front, and a zero.
    if name.len().saturating_add(2) > NAME_WIRE_BYTES_MAX {
        return Err(DnsProblem::Name);
    }
    let mut wire = Vec::with_capacity(NAME_WIRE_BYTES_MAX);
    for label in name.split('.') {
        let length = u8::try_from(label.len()).map_err(|_| DnsProblem::Name)?;
        let fits = (1..=LABEL_BYTES_MAX).contains(&label.len());
        if !fits || !label.bytes().all(can_stand_in_a_label) {
            return Err(DnsProblem::Name);
        }
        wire.push(length);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    Ok(wire)
}
