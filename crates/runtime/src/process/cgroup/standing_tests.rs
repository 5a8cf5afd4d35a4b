//! What machines of different makes say of their cgroups.

use super::*;

/// Every resource in a tree of its own, and a unified tree that carries none.
const ALONE_MOUNTS: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
const ALONE_OWN: &str = "9:name=systemd:/\n4:memory:/api/7a86\n2:cpuacct:/\n1:cpu:/\n0::/\n";

/// A hybrid machine as systemd sets it up: trees of version 1 that carry several resources.
const HYBRID_MOUNTS: &str = "\
30 23 0:25 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,size=4096k,mode=755
31 30 0:26 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime shared:10 - cgroup2 cgroup2 rw,nsdelegate
34 30 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,nodev,noexec,relatime shared:15 - cgroup cgroup rw,cpu,cpuacct
35 30 0:31 / /sys/fs/cgroup/memory rw,nosuid,nodev,noexec,relatime shared:16 master:2 - cgroup cgroup rw,memory
";
const HYBRID_OWN: &str = "\
12:memory:/user.slice/user-1000.slice/session-2.scope
5:cpu,cpuacct:/user.slice
1:name=systemd:/user.slice/user-1000.slice/session-2.scope
0::/user.slice/user-1000.slice/session-2.scope
";

/// A machine with version 2 only.
const UNIFIED_MOUNTS: &str = "\
24 30 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:2 - sysfs sysfs rw
29 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
";

#[track_caller]
fn check(found: Option<Standing>, top: &str, own: Option<&str>) {
    assert_eq!(found, Some(Standing { top: top.into(), own: own.map(Into::into) }));
}

#[test]
fn each_resource_has_its_own_tree() {
    let memory = in_tree_of("memory", ALONE_MOUNTS, ALONE_OWN);
    check(memory, "/sys/fs/cgroup/memory", Some("/sys/fs/cgroup/memory/api/7a86"));
    // `cpu` is not `cpuacct`.
    check(in_tree_of("cpu", ALONE_MOUNTS, ALONE_OWN), "/sys/fs/cgroup/cpu", Some("/sys/fs/cgroup/cpu"));
    check(in_tree_of("cpuacct", ALONE_MOUNTS, ALONE_OWN), "/sys/fs/cgroup/cpuacct", Some("/sys/fs/cgroup/cpuacct"));
    assert_eq!(in_tree_of("pids", ALONE_MOUNTS, ALONE_OWN), None);
    // A name is not a resource.
    assert_eq!(in_tree_of("systemd", ALONE_MOUNTS, ALONE_OWN), None);
}

#[test]
fn a_hybrid_machine_has_both_kinds_of_trees() {
    let shared = in_tree_of("cpuacct", HYBRID_MOUNTS, HYBRID_OWN);
    check(shared, "/sys/fs/cgroup/cpu,cpuacct", Some("/sys/fs/cgroup/cpu,cpuacct/user.slice"));
    let memory = "/sys/fs/cgroup/memory/user.slice/user-1000.slice/session-2.scope";
    check(in_tree_of("memory", HYBRID_MOUNTS, HYBRID_OWN), "/sys/fs/cgroup/memory", Some(memory));
    let unified = "/sys/fs/cgroup/unified/user.slice/user-1000.slice/session-2.scope";
    check(in_unified_tree(HYBRID_MOUNTS, HYBRID_OWN), "/sys/fs/cgroup/unified", Some(unified));
    assert!(has_tree_of("memory", HYBRID_MOUNTS) && !has_tree_of("pids", HYBRID_MOUNTS));
}

#[test]
fn a_machine_of_version_2_has_one_tree() {
    let own = "0::/system.slice/aegis.service\n";
    check(in_unified_tree(UNIFIED_MOUNTS, own), "/sys/fs/cgroup", Some("/sys/fs/cgroup/system.slice/aegis.service"));
    check(in_unified_tree(UNIFIED_MOUNTS, "0::/\n"), "/sys/fs/cgroup", Some("/sys/fs/cgroup"));
    assert!(!has_tree_of("memory", UNIFIED_MOUNTS));
    // A machine of version 1 without a unified tree.
    assert_eq!(in_unified_tree("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "1:cpu:/\n"), None);
}

#[test]
fn a_container_sees_a_part_of_the_tree() {
    // Without a namespace for cgroups, both tell the path from the host's top.
    let mounts = "90 80 0:26 /docker/abc /sys/fs/cgroup ro,relatime master:4 - cgroup2 cgroup rw\n";
    check(in_unified_tree(mounts, "0::/docker/abc\n"), "/sys/fs/cgroup", Some("/sys/fs/cgroup"));
    check(in_unified_tree(mounts, "0::/docker/abc/x\n"), "/sys/fs/cgroup", Some("/sys/fs/cgroup/x"));
    // A neighbour whose name begins alike is not inside.
    check(in_unified_tree(mounts, "0::/docker/abcdef\n"), "/sys/fs/cgroup", None);
    // With one, whoever was moved out of it is told so.
    let mounts = "90 80 0:26 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup rw\n";
    check(in_unified_tree(mounts, "0::/../other\n"), "/sys/fs/cgroup", None);
    // And a mount from before it shows more than there is.
    let mounts = "90 80 0:26 /../.. /sys/fs/cgroup rw,relatime - cgroup2 cgroup rw\n";
    check(in_unified_tree(mounts, "0::/\n"), "/sys/fs/cgroup", None);
}

#[test]
fn of_several_mounts_the_one_that_shows_the_process_counts() {
    let mounts = "\
50 23 0:26 /other /mnt/part rw - cgroup2 cgroup2 rw
51 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
";
    check(in_unified_tree(mounts, "0::/own\n"), "/sys/fs/cgroup", Some("/sys/fs/cgroup/own"));
    check(in_unified_tree(mounts, "0::/other/own\n"), "/mnt/part", Some("/mnt/part/own"));
    check(in_unified_tree(mounts, ""), "/mnt/part", None);
}

#[test]
fn names_with_spaces_and_colons_are_taken_as_they_are() {
    let mounts = "50 23 0:26 /a\\040b /mnt/c\\134d\\011e rw shared:1 - cgroup2 none rw\n";
    check(in_unified_tree(mounts, "0::/a b/x:y\n"), "/mnt/c\\d\te", Some("/mnt/c\\d\te/x:y"));
    assert_eq!(plain("\\04"), PathBuf::from("\\04"));
    assert_eq!(plain("a\\"), PathBuf::from("a\\"));
    assert_eq!(plain("ä\\040ö"), PathBuf::from("ä ö"));
}

#[test]
fn what_has_another_form_is_left_out() {
    let broken = "\n31\n31 23 0:28 /\n31 23 0:28 / /sys - cgroup2\n31 23 0:28 / /sys rw cgroup2 cgroup2 rw\n";
    assert_eq!(in_unified_tree(broken, "0::/\n"), None);
    let mounts = "29 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    for own in ["", "0", "0:", "0:/", "1::/x"] {
        check(in_unified_tree(mounts, own), "/sys/fs/cgroup", None);
    }
}
