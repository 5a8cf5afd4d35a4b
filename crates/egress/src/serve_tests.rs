//! What is opened inside by a program that does not behave.

use aegis_model::port::Gate;

use super::*;
use crate::played::{Played, Still, Talker, occupant};
use crate::settings::Settings;

/// Whether everything has ended, after a while, though the program takes in no more than so much.
async fn ends(says: &[u8], takes: usize) -> bool {
    let settings = Settings::default();
    let patience = settings.head * 4;
    let gate: Arc<dyn Gate> = Arc::new(Played::default());
    let egress = Egress::new(gate, settings, Arc::new(Still), Arc::new(Still));
    egress.attend(occupant(), Opening::Stream { towards: Towards::Proxy, stream: Talker::new(says, takes) });
    let _ = tokio::time::timeout(patience, std::future::pending::<()>()).await;
    egress.open() == 0
}

#[tokio::test(start_paused = true)]
async fn a_program_that_does_not_read_its_answer_is_left() {
    assert!(ends(b"GET / HTTP/1.1\r\n\r\n", usize::MAX).await);
    let says: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1:443\r\n\r\n",
        b"\x05\x01\x00",
    ];
    for says in says {
        assert!(ends(says, 1).await, "{}", says.escape_ascii());
    }
    // The greeting is answered by two bytes, and what cannot be done by ten.
    for command in [b"\x05\x02\x00\x01", b"\x05\x01\x00\x09"] {
        let said = [b"\x05\x01\x00".as_slice(), command, b"\x0a\x00\x00\x01\x00\x50"].concat();
        assert!(ends(&said, 3).await, "{}", said.escape_ascii());
    }
}
