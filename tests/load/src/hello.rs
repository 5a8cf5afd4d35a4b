//! A TLS 1.3 ClientHello, as small as one that a strict reader still takes for whole.
//!
//! Owns its bytes; must not know who sends them or when. Nobody can finish a handshake with it,
//! because no secret belongs to its key share.

use crate::Outcome;

const RECORD_HANDSHAKE: u8 = 22;
const HANDSHAKE_CLIENT_HELLO: u8 = 1;
const VERSION_TLS_1_0: u16 = 0x0301;
const VERSION_TLS_1_2: u16 = 0x0303;
const VERSION_TLS_1_3: u16 = 0x0304;
const CIPHER_SUITES: [u16; 3] = [0x1301, 0x1302, 0x1303];
const SIGNATURE_SCHEMES: [u16; 3] = [0x0403, 0x0804, 0x0807];
const GROUP_X25519: u16 = 0x001d;
const EXTENSION_SERVER_NAME: u16 = 0;
const EXTENSION_SUPPORTED_GROUPS: u16 = 10;
const EXTENSION_SIGNATURE_ALGORITHMS: u16 = 13;
const EXTENSION_SUPPORTED_VERSIONS: u16 = 43;
const EXTENSION_KEY_SHARE: u16 = 51;

/// The bytes of a ClientHello that asks for `name`, in one record.
///
/// # Errors
/// When the name is empty, longer than a host name may be, or not visible ASCII.
pub fn client_hello(name: &str) -> Outcome<Vec<u8>> {
    if name.is_empty() || name.len() > 253 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("`{name}` is no host name").into());
    }
    let mut bytes = vec![RECORD_HANDSHAKE];
    number(&mut bytes, VERSION_TLS_1_0);
    long(&mut bytes, |record| {
        record.extend([HANDSHAKE_CLIENT_HELLO, 0]);
        long(record, |hello| body(hello, name));
    });
    Ok(bytes)
}

fn body(hello: &mut Vec<u8>, name: &str) {
    number(hello, VERSION_TLS_1_2);
    hello.extend(arbitrary(1));
    short(hello, |session| session.extend(arbitrary(2)));
    long(hello, |suites| CIPHER_SUITES.iter().for_each(|suite| number(suites, *suite)));
    short(hello, |compressions| compressions.push(0));
    long(hello, |extensions| {
        extension(extensions, EXTENSION_SERVER_NAME, |data| long(data, |list| server_name(list, name)));
        extension(extensions, EXTENSION_SUPPORTED_GROUPS, |data| long(data, |list| number(list, GROUP_X25519)));
        extension(extensions, EXTENSION_SIGNATURE_ALGORITHMS, |data| {
            long(data, |list| SIGNATURE_SCHEMES.iter().for_each(|scheme| number(list, *scheme)));
        });
        extension(extensions, EXTENSION_SUPPORTED_VERSIONS, |data| short(data, |list| number(list, VERSION_TLS_1_3)));
        extension(extensions, EXTENSION_KEY_SHARE, |data| long(data, key_share));
    });
}

fn server_name(list: &mut Vec<u8>, name: &str) {
    list.push(0);
    long(list, |host| host.extend(name.bytes()));
}

fn key_share(list: &mut Vec<u8>) {
    number(list, GROUP_X25519);
    long(list, |share| share.extend(arbitrary(3)));
}

fn extension(extensions: &mut Vec<u8>, kind: u16, data: impl FnOnce(&mut Vec<u8>)) {
    number(extensions, kind);
    long(extensions, data);
}

fn number(bytes: &mut Vec<u8>, number: u16) {
    bytes.extend(number.to_be_bytes());
}

/// Puts the length of what `inner` writes before it in one byte; nothing here grows past that.
fn short(bytes: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>)) {
    let mut content = Vec::new();
    inner(&mut content);
    bytes.push(content.len() as u8);
    bytes.append(&mut content);
}

/// Puts the length of what `inner` writes before it in two bytes; nothing here grows past that.
fn long(bytes: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>)) {
    let mut content = Vec::new();
    inner(&mut content);
    number(bytes, content.len() as u16);
    bytes.append(&mut content);
}

/// Thirty-two bytes that look random and are the same in every run, so that runs are comparable.
fn arbitrary(seed: u32) -> [u8; 32] {
    let mut state = seed;
    std::array::from_fn(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::client_hello;

    struct Reader<'a>(&'a [u8]);

    impl<'a> Reader<'a> {
        fn number(&mut self, bytes: usize) -> usize {
            let (head, rest) = self.0.split_at(bytes);
            self.0 = rest;
            head.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        }

        fn counted(&mut self, bytes: usize) -> Reader<'a> {
            let length = self.number(bytes);
            let (head, rest) = self.0.split_at(length);
            self.0 = rest;
            Reader(head)
        }
    }

    /// Reads a hello to its last byte and returns its extensions as kind and data.
    fn extensions(hello: &[u8]) -> Vec<(usize, &[u8])> {
        let mut outer = Reader(hello);
        assert_eq!((outer.number(1), outer.number(2)), (22, 0x0301));
        let mut record = outer.counted(2);
        assert!(outer.0.is_empty());
        assert_eq!(record.number(1), 1);
        let mut body = record.counted(3);
        assert!(record.0.is_empty());
        assert_eq!(body.number(2), 0x0303);
        body.0 = &body.0[32..];
        assert_eq!(body.counted(1).0.len(), 32);
        assert_eq!(body.counted(2).0, [0x13, 1, 0x13, 2, 0x13, 3]);
        assert_eq!(body.counted(1).0, [0]);
        let mut list = body.counted(2);
        assert!(body.0.is_empty());
        let mut found = Vec::new();
        while !list.0.is_empty() {
            let kind = list.number(2);
            found.push((kind, list.counted(2).0));
        }
        found
    }

    #[test]
    fn every_length_of_the_hello_adds_up_and_the_name_is_in_it() {
        let hello = client_hello("echo.example").unwrap();
        let found = extensions(&hello);
        assert_eq!(found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [0, 10, 13, 43, 51]);
        let mut names = Reader(found[0].1).counted(2);
        assert_eq!(names.number(1), 0);
        assert_eq!(names.counted(2).0, b"echo.example");
        assert_eq!(found[3].1, [2, 3, 4]);
        assert_eq!(found[4].1.len(), 2 + 2 + 2 + 32);
    }

    #[test]
    fn a_name_that_cannot_be_asked_for_is_refused() {
        for name in ["", "a b", "ä.example", &"a".repeat(254)] {
            assert!(client_hello(name).is_err(), "`{name}`");
        }
    }
}
