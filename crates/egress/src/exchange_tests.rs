//! One request and its answer, between a program and a host that are played by the test.

use aegis_model::port::Clock;

use super::*;
use crate::http::parse_request;
use crate::played::{Still, Talker, occupant};
use crate::room::Room;
use crate::settings::Settings;

/// Whether the program and the host may be asked for more after this, when the host answers at
/// once and takes in only so many bytes of the body.
async fn may_go_on(asked: &str, body_taken: usize) -> (bool, bool) {
    let room = Room::new(occupant(), &Settings::default(), 0);
    let clock: Arc<dyn Clock> = Arc::new(Still);
    let meter = Meter::new(&room, &clock);
    let head = parse_request(asked.as_bytes(), &Limits::default(), &mut HeadScanner::new()).unwrap();
    let (head, used) = head.unwrap();
    let written = write_request(&head, "api.example.com", 80, true).unwrap().len();
    let mut inside = Side::new(Talker::new(&asked.as_bytes()[used..], usize::MAX));
    let mut outside = Side::new(Talker::new(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", written + body_taken));
    let wanted = Wanted {
        host: "api.example.com".to_owned(),
        port: 80,
        manner: Manner::Http { method: "POST".to_owned(), path: "/".to_owned(), websocket: false },
        private_address: None,
    };
    let done = exchanged(&mut inside, &mut outside, (&head, &wanted), &meter).await.ok().unwrap();
    (done.inside, done.outside)
}

#[tokio::test]
async fn a_host_that_answers_before_it_has_the_whole_body_is_asked_for_nothing_more() {
    let head = "POST http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n";
    let length = format!("{head}Content-Length: 10\r\n\r\n0123456789");
    let chunks = format!("{head}Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n");
    // Which of both is looked at first is left to chance.
    for _ in 0..50 {
        for taken in 0..10 {
            assert_eq!(may_go_on(&length, taken).await, (false, false), "`{taken}` bytes of ten were taken");
        }
        for taken in 0.."a\r\n0123456789\r\n0\r\n\r\n".len() {
            assert_eq!(may_go_on(&chunks, taken).await, (false, false), "`{taken}` bytes of chunks were taken");
        }
    }
}

#[tokio::test]
async fn a_host_that_has_no_body_to_take_may_be_asked_for_more() {
    let asked = "GET http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
    for _ in 0..50 {
        assert_eq!(may_go_on(asked, 0).await, (true, true));
    }
}
