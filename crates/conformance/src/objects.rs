//! What every adapter of the port `Objects` must keep. One function per promise; `suite` runs
//! them all, each on objects of its own. Must not know: any adapter.

use std::sync::Arc;

use aegis_model::port::{ObjectError, Objects};
use async_trait::async_trait;
use bytes::Bytes;

/// A place for objects that an adapter's test sets up; every one begins empty.
#[async_trait]
pub trait Shelf: Send + Sync {
    /// Opens what is there, as a restarted server would.
    async fn open(&self) -> Arc<dyn Objects>;

    /// Changes a kept byte behind the adapter's back.
    async fn damage(&self, digest: &str);
}

/// SHA-256 of the empty text and of `abc`, from FIPS 180-2.
const KNOWN: [(&str, &str); 2] = [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
];
/// Large enough to be written in more than one piece.
const LARGE_BYTES: usize = 3 * 1024 * 1024 + 1;
const WRITERS: u8 = 8;

/// Runs every promise against shelves that `fresh` makes.
pub async fn suite<S: Shelf>(fresh: impl Fn() -> S) {
    a_name_is_the_digest(&fresh()).await;
    what_was_put_is_there(&fresh()).await;
    nothing_is_there_before_it_is_put(&fresh()).await;
    a_text_that_is_no_digest_names_nothing(&fresh()).await;
    putting_twice_is_putting_once(&fresh()).await;
    objects_outlive_a_restart(&fresh()).await;
    damage_is_noticed_and_healed(&fresh()).await;
    writers_and_readers_do_not_disturb_each_other(&fresh()).await;
    writers_of_the_same_bytes_agree(&fresh()).await;
}

async fn put(objects: &dyn Objects, bytes: impl Into<Bytes>) -> String {
    let kept = objects.put(bytes.into()).await;
    assert!(kept.is_ok(), "put failed: {kept:?}");
    kept.unwrap_or_default()
}

async fn check_get(objects: &dyn Objects, digest: &str, expected: Option<&[u8]>) {
    let found = objects.get(digest).await;
    assert!(found.is_ok(), "get `{digest}` failed: {found:?}");
    let found = found.ok().flatten();
    assert!(found.as_deref() == expected, "get `{digest}` gave other bytes");
}

/// Bytes that no other number gives.
fn sample(number: u8, size_bytes: usize) -> Vec<u8> {
    (0..size_bytes).map(|place| (place / 251) as u8 ^ (place % 251) as u8 ^ number).collect()
}

async fn a_name_is_the_digest(shelf: &impl Shelf) {
    let objects = shelf.open().await;
    for (text, digest) in KNOWN {
        assert_eq!(put(&*objects, text).await, digest);
    }
}

async fn what_was_put_is_there(shelf: &impl Shelf) {
    let objects = shelf.open().await;
    for size_bytes in [0, 1, 4095, 4096, LARGE_BYTES] {
        let bytes = sample(1, size_bytes);
        let digest = put(&*objects, bytes.clone()).await;
        check_get(&*objects, &digest, Some(&bytes)).await;
    }
}

async fn nothing_is_there_before_it_is_put(shelf: &impl Shelf) {
    let objects = shelf.open().await;
    for (text, digest) in KNOWN {
        check_get(&*objects, digest, None).await;
        put(&*objects, text).await;
        check_get(&*objects, digest, Some(text.as_bytes())).await;
    }
}

async fn a_text_that_is_no_digest_names_nothing(shelf: &impl Shelf) {
    let objects = shelf.open().await;
    let digest = put(&*objects, "abc").await;
    let long_name = "a".repeat(100_000);
    let (head, tail) = digest.split_at_checked(2).unwrap_or_default();
    let smuggled = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "/".to_owned(),
        "/etc/passwd".to_owned(),
        "../../../../../../etc/passwd".to_owned(),
        format!("{head}/{tail}"),
        format!("../{digest}"),
        format!("{digest}/."),
        format!("{digest}\0"),
        format!("{digest}0"),
        format!(" {digest}"),
        format!("{digest}\n"),
        digest.to_uppercase(),
        format!("{head}/{}", "0".repeat(61)),
        format!("../{}", "0".repeat(61)),
        "é".repeat(32),
        "g".repeat(64),
        long_name,
    ];
    for name in smuggled {
        check_get(&*objects, &name, None).await;
    }
    check_get(&*objects, &digest, Some(b"abc")).await;
}

async fn putting_twice_is_putting_once(shelf: &impl Shelf) {
    let objects = shelf.open().await;
    let bytes = sample(2, 10_000);
    let first = put(&*objects, bytes.clone()).await;
    assert_eq!(put(&*objects, bytes.clone()).await, first);
    check_get(&*objects, &first, Some(&bytes)).await;
}

async fn objects_outlive_a_restart(shelf: &impl Shelf) {
    let bytes = sample(3, 10_000);
    let digest = put(&*shelf.open().await, bytes.clone()).await;
    let reopened = shelf.open().await;
    check_get(&*reopened, &digest, Some(&bytes)).await;
    assert_eq!(put(&*reopened, bytes).await, digest);
}

async fn damage_is_noticed_and_healed(shelf: &impl Shelf) {
    let objects = shelf.open().await;
    let (bytes, other) = (sample(4, 10_000), sample(5, 10_000));
    let digest = put(&*objects, bytes.clone()).await;
    let healthy = put(&*objects, other.clone()).await;
    shelf.damage(&digest).await;
    let found = objects.get(&digest).await;
    let named = matches!(&found, Err(ObjectError::Damaged { digest: named }) if *named == digest);
    assert!(named, "damage was not noticed: {found:?}");
    check_get(&*objects, &healthy, Some(&other)).await;
    assert_eq!(put(&*objects, bytes.clone()).await, digest);
    check_get(&*objects, &digest, Some(&bytes)).await;
}

async fn writers_and_readers_do_not_disturb_each_other(shelf: &impl Shelf) {
    let objects = shelf.open().await;
    let last = put(&*shelf.open().await, sample(WRITERS - 1, 200_000)).await;
    let tasks: Vec<_> = (0..WRITERS)
        .map(|number| {
            let (objects, last) = (Arc::clone(&objects), last.clone());
            tokio::spawn(async move {
                let bytes = sample(number, 200_000);
                let digest = put(&*objects, bytes.clone()).await;
                check_get(&*objects, &digest, Some(&bytes)).await;
                check_get(&*objects, &last, Some(&sample(WRITERS - 1, 200_000))).await;
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.is_ok(), "a concurrent writer or reader failed");
    }
}

/// A reader beside writers of the same object sees nothing or all of it, never a part.
async fn writers_of_the_same_bytes_agree(shelf: &impl Shelf) {
    let objects = shelf.open().await;
    let bytes = Bytes::from(sample(6, LARGE_BYTES));
    let digest = put(&*objects, bytes.clone()).await;
    shelf.damage(&digest).await;
    let digests: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (objects, bytes) = (Arc::clone(&objects), bytes.clone());
            tokio::spawn(async move { put(&*objects, bytes).await })
        })
        .collect();
    for task in digests {
        assert_eq!(task.await.ok().as_deref(), Some(digest.as_str()));
        check_get(&*objects, &digest, Some(&bytes)).await;
    }
}
