//! Files in and out of a box.

use aegis_model::boxes::{BoxError, FileProblem};
use bytes::Bytes;

use super::{Subject, case};

pub(super) async fn cases(subject: &Subject) {
    case("a file comes back as it went", round_trip(subject)).await;
    case("a path that leads out is refused", leads_out(subject)).await;
    case("what is missing or too large is named", named(subject)).await;
}

async fn round_trip(subject: &Subject) {
    let made = subject.plain().await;
    let long = Bytes::from(vec![7; 1_500_000]);
    for (path, bytes) in [("a", Bytes::from_static(b"hello")), ("deep/er/b", long), ("empty", Bytes::new())] {
        made.file_put(path, bytes.clone(), false).await.expect("put");
        assert_eq!(made.file_get(path, 2_000_000).await, Ok(bytes), "{path}");
    }
    made.file_put("a", Bytes::from_static(b"changed"), true).await.expect("put again");
    assert_eq!(made.file_get("a", 100).await, Ok(Bytes::from_static(b"changed")));
    made.kill().await;
}

fn problem(error: Option<BoxError>) -> Option<FileProblem> {
    match error {
        Some(BoxError::File { problem, .. }) => Some(problem),
        _ => None,
    }
}

async fn leads_out(subject: &Subject) {
    let made = subject.plain().await;
    for path in ["../etc/passwd", "/etc/passwd", "a/../../etc/passwd", "..", ""] {
        let read = made.file_get(path, 1_000_000).await.err();
        assert!(problem(read.clone()).is_some(), "{path:?}: {read:?}");
        let written = made.file_put(path, Bytes::from_static(b"x"), false).await.err();
        assert!(problem(written.clone()).is_some(), "{path:?}: {written:?}");
    }
    made.kill().await;
}

async fn named(subject: &Subject) {
    let made = subject.plain().await;
    assert_eq!(problem(made.file_get("nothing", 10).await.err()), Some(FileProblem::Missing));
    made.file_put("long", Bytes::from(vec![0; 1_000]), false).await.expect("put");
    assert_eq!(problem(made.file_get("long", 999).await.err()), Some(FileProblem::NoRoom));
    assert_eq!(made.file_get("long", 1_000).await.map(|bytes| bytes.len()), Ok(1_000));
    made.kill().await;
}
