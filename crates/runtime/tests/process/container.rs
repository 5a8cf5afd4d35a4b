//! Boxes of a server that sees a part of the machine's tree as all there is, as root in a
//! container does: unlike the top of the whole, the top of a part holds no processes beside
//! directories that are counted.

use std::path::PathBuf;
use std::process::Command;

use aegis_runtime::process::survey;

use super::given::{Given, is_unified};
use super::user::passed;
use super::{BOXES_REQUIRED, is_root, skip};

/// Goes into the cgroup that is its first word, sees it as the top, and is the rest of its words.
const CONTAIN: &str = r#"
echo $$ > "$0/cgroup.procs" || exit
exec unshare --cgroup --mount sh -c '
    umount /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"
' sh "$@"
"#;

/// What is run there.
const TESTS: [&str; 3] = ["limits::want_of_memory", "limits::processes_end", "faults::a_full_house"];

#[tokio::test(flavor = "multi_thread")]
async fn in_a_container_the_top_of_its_tree_is_divided() {
    if !is_unified() || !is_root() {
        eprintln!("SKIPPED: only root and cgroup v2 have such a top");
        return;
    }
    if let Some(reason) = survey().absent() {
        return skip(&format!("no process boxes on this machine: {reason}"));
    }
    let _alone = super::ALONE.lock().await;
    let given = Given::to_root("container");
    let own = std::env::current_exe().expect("this program");
    let mut command = Command::new("sh");
    command.args(["-c", CONTAIN]).args(&given.directories).arg(own).args(TESTS).args(["--test-threads", "1"]);
    passed(&command.env(BOXES_REQUIRED, "yes").output().expect("a shell"));
    assert_eq!(given.left(), Vec::<PathBuf>::new(), "cgroups are left");
}
