//! Reading and writing the kernel's small files. Must not know: which tree they are in.

use std::fs;
use std::io;
use std::path::Path;

/// A number that is alone in a file; 0 if there is none.
pub fn number(path: &Path) -> u64 {
    alone(&fs::read_to_string(path).unwrap_or_default())
}

/// A number after its name in a file of names and numbers; 0 if there is none.
pub fn named_number(path: &Path, name: &str) -> u64 {
    named(&fs::read_to_string(path).unwrap_or_default(), name)
}

/// Writes a limit, and says which one if it cannot.
pub fn limit(directory: &Path, file: &str, value: &str) -> io::Result<()> {
    let path = directory.join(file);
    fs::write(&path, value).map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display())))
}

/// Makes a directory unless it is there. Not those above it: a tree that is not there is not
/// to be made up.
pub fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn alone(text: &str) -> u64 {
    text.trim().parse().unwrap_or_default()
}

fn named(text: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(found, _)| *found == name).map(|(_, value)| alone(value)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_alone_is_read() {
        let cases = [("4096\n", 4_096), ("0\n", 0), ("18446744073709551615\n", u64::MAX), ("max\n", 0), ("", 0)];
        for (text, wanted) in cases {
            assert_eq!(alone(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn memory_events_tell_kills() {
        let events = "low 0\nhigh 0\nmax 31\noom 2\noom_kill 1\noom_group_kill 0\n";
        assert_eq!((named(events, "oom_kill"), named(events, "oom"), named(events, "max")), (1, 2, 31));
        // The same in version 1, and how kernels wrote it before they counted.
        assert_eq!(named("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "oom_kill"), 3);
        assert_eq!(named("oom_kill_disable 0\nunder_oom 0\n", "oom_kill"), 0);
    }

    #[test]
    fn cpu_stat_tells_time() {
        let stat = "usage_usec 12345\nuser_usec 12000\nsystem_usec 345\nnr_periods 2\nthrottled_usec 9\n";
        assert_eq!((named(stat, "usage_usec"), named(stat, "nr_periods")), (12_345, 2));
    }

    #[test]
    fn pids_events_tell_refusals() {
        assert_eq!((named("max 7\n", "max"), named("max 7\nmax.imposed 9\n", "max.imposed")), (7, 9));
    }

    #[test]
    fn cgroup_events_tell_whether_it_is_frozen() {
        assert_eq!(named("populated 1\nfrozen 1\n", "frozen"), 1);
        assert_eq!(named("populated 1\nfrozen 0\n", "frozen"), 0);
    }

    #[test]
    fn what_has_another_form_is_no_number() {
        for text in ["", "\n", "oom_kill", "oom_kill max", "oom_kill -1", "oom_killer 5", " oom_kill 5"] {
            assert_eq!(named(text, "oom_kill"), 0, "{text:?}");
        }
    }
}
