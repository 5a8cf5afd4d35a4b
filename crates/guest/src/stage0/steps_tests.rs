//! The order of the set-up, read without any right.

use super::super::perform;
use super::super::syscalls::recording::Recording;
use super::{Step, steps};
use aegis_door::{Descriptors, Limit, Mount, Setup, Source};

fn mount(target: &str, source: Source) -> Mount {
    Mount { target: target.to_owned(), source }
}

fn setup(privileged: bool) -> Setup {
    Setup {
        descriptors: Descriptors { cgroups: 1, birth_cgroup: false, file_system: true },
        privileged,
        host_id: 70_000,
        box_id: 1_000,
        hostname: "box".to_owned(),
        root: "/base".to_owned(),
        mounts: vec![
            mount("/usr", Source::Directory("/usr".to_owned())),
            mount("/proc", Source::Processes),
            mount("/workspace", Source::FileSystem),
        ],
        masked_files: vec!["/proc/keys".to_owned()],
        masked_directories: vec!["/proc/acpi".to_owned()],
        limits: vec![Limit::Core(0)],
        writable: vec!["/workspace".to_owned()],
        directory: "/workspace".to_owned(),
        lifetime_ms: 0,
    }
}

fn names(steps: &[Step]) -> Vec<String> {
    steps.iter().map(Step::name).collect()
}

#[track_caller]
fn before(steps: &[Step], first: &str, then: &str) {
    let place = |name: &str| {
        let found = names(steps).iter().position(|step| step.contains(name));
        found.unwrap_or_else(|| panic!("no step {name:?}"))
    };
    assert!(place(first) < place(then), "{first:?} comes after {then:?}");
}

#[test]
fn the_whole_order_is_this() {
    let expected = [
        "joining the cgroups",
        "leaving the groups",
        "preparing `/base`",
        "preparing `/usr`",
        "preparing the box's file system",
        "entering the namespaces",
        "closing the view of cgroups",
        "detaching the mounts",
        "raising the loopback",
        "opening the low ports",
        "setting the host name",
        "preparing `/proc`",
        "entering the root",
        "mounting `/usr`",
        "mounting `/proc`",
        "mounting `/workspace`",
        "masking `/proc/keys`",
        "masking `/proc/acpi`",
        "entering `/workspace`",
        "setting the limit Core(0)",
        "becoming the box's user",
        "dropping the capabilities",
        "renouncing new privileges",
        "binding the box to its server",
        "hiding the guest",
        "enforcing Landlock",
        "enforcing the filter of system calls",
    ];
    assert_eq!(names(&steps(&setup(true))), expected);
}

#[test]
fn nothing_runs_uncounted_and_the_filter_comes_last() {
    for privileged in [true, false] {
        let steps = steps(&setup(privileged));
        assert_eq!(steps.first(), Some(&Step::JoinCgroups));
        assert_eq!(steps.last(), Some(&Step::Seccomp));
        before(&steps, "entering the namespaces", "entering the root");
        before(&steps, "entering the root", "dropping the capabilities");
        before(&steps, "becoming the box's user", "binding the box to its server");
        before(&steps, "renouncing new privileges", "enforcing Landlock");
    }
}

#[test]
fn an_ordinary_user_takes_trees_in_namespaces_of_its_own() {
    before(&steps(&setup(true)), "preparing `/usr`", "entering the namespaces");
    before(&steps(&setup(false)), "entering the namespaces", "preparing `/usr`");
    assert!(!steps(&setup(false)).contains(&Step::LeaveGroups));
}

#[test]
fn every_tree_that_is_shown_was_prepared() {
    for privileged in [true, false] {
        let steps = steps(&setup(privileged));
        for (place, step) in steps.iter().enumerate() {
            let Step::Attach { tree, .. } = step else { continue };
            let prepared = |earlier: &Step| matches!(earlier, Step::Take { tree: other, .. } | Step::Make { tree: other, .. } if other == tree);
            assert!(steps[..place].iter().any(prepared), "{step:?}");
        }
    }
}

#[test]
fn the_first_step_that_fails_ends_it_and_none_is_skipped() {
    let steps = steps(&setup(true));
    for fails_at in 0..steps.len() {
        let mut recording = Recording { fails_at: Some(fails_at), ..Recording::default() };
        let (step, _) = perform(&steps, &mut recording).expect_err("it fails");
        assert_eq!((step, recording.done.len()), (&steps[fails_at], fails_at));
    }
    let mut recording = Recording::default();
    assert!(perform(&steps, &mut recording).is_ok());
    assert_eq!(recording.done, steps);
}
