//! What is done to set a box up, in which order, as data that can be read without any right.
//!
//! ```text
//!   as the server's user     in the box's namespaces, with every capability in them
//!   ────────────────────     ─────────────────────────────────────────────────────────
//!   cgroups, groups      ──► network, name, own file systems, root, mounts, masks
//!   trees of the host        ──► limits, user, capabilities, no new privileges,
//!                                Landlock, seccomp: from here on nothing is regained
//! ```
//!
//! The order is the security of it: cgroups first, so that nothing runs uncounted; trees are
//! taken while paths still mean the host's; the filter of system calls last, as it forbids
//! what the steps before it need.

use aegis_door::{Limit, Setup, Source};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Be in the box's cgroups.
    JoinCgroups,
    /// Have no supplementary groups.
    LeaveGroups,
    /// Take a tree of the host into hand, restricted.
    Take {
        /// Under which number.
        tree: usize,
        /// Which.
        source: Source,
    },
    /// Go on in namespaces of one's own, as the first process of them; in the box's cgroup, if
    /// it is one to be born in.
    Enter,
    /// See the box's cgroups as all there are.
    OwnCgroups,
    /// Let no mount of the host's follow.
    Detach,
    /// Bring the loopback up.
    RaiseLoopback,
    /// Let everybody in the box listen on every port.
    PortsFromZero,
    /// Have a host name of one's own.
    Name(String),
    /// Make a file system that is the box's own.
    Make {
        /// Under which number.
        tree: usize,
        /// Which.
        source: Source,
    },
    /// Have the tree of number 0 as the root, and nothing of the old one.
    EnterRoot,
    /// Show a tree.
    Attach {
        /// Which.
        tree: usize,
        /// Where.
        target: String,
    },
    /// Show nothing where a file is.
    MaskFile(String),
    /// Show nothing where a directory is.
    MaskDirectory(String),
    /// Be in this directory.
    EnterDirectory(String),
    /// Limit what one process may use.
    Limit(Limit),
    /// Be this user and group.
    BecomeUser(u32),
    /// Have no capability, and no way to one.
    DropCapabilities,
    /// Gain nothing by executing a program.
    NoNewPrivileges,
    /// End when the server's spawner ends.
    DieWithParent,
    /// Show one's memory and descriptors to nobody.
    Hide,
    /// Write only here, whatever the mounts say.
    Landlock {
        /// The directories.
        writable: Vec<String>,
    },
    /// Call only what the list allows.
    Seccomp,
}

impl Step {
    /// The step in words, as it is told to whoever asked for the box.
    pub fn name(&self) -> String {
        match self {
            Self::JoinCgroups => "joining the cgroups".to_owned(),
            Self::LeaveGroups => "leaving the groups".to_owned(),
            Self::Take { source, .. } | Self::Make { source, .. } => format!("preparing {}", described(source)),
            Self::Enter => "entering the namespaces".to_owned(),
            Self::OwnCgroups => "closing the view of cgroups".to_owned(),
            Self::Detach => "detaching the mounts".to_owned(),
            Self::RaiseLoopback => "raising the loopback".to_owned(),
            Self::PortsFromZero => "opening the low ports".to_owned(),
            Self::Name(_) => "setting the host name".to_owned(),
            Self::EnterRoot => "entering the root".to_owned(),
            Self::Attach { target, .. } => format!("mounting `{target}`"),
            Self::MaskFile(path) | Self::MaskDirectory(path) => format!("masking `{path}`"),
            Self::EnterDirectory(path) => format!("entering `{path}`"),
            Self::Limit(limit) => format!("setting the limit {limit:?}"),
            Self::BecomeUser(_) => "becoming the box's user".to_owned(),
            Self::DropCapabilities => "dropping the capabilities".to_owned(),
            Self::NoNewPrivileges => "renouncing new privileges".to_owned(),
            Self::DieWithParent => "binding the box to its server".to_owned(),
            Self::Hide => "hiding the guest".to_owned(),
            Self::Landlock { .. } => "enforcing Landlock".to_owned(),
            Self::Seccomp => "enforcing the filter of system calls".to_owned(),
        }
    }
}

fn described(source: &Source) -> String {
    match source {
        Source::Directory(path) | Source::File(path) | Source::Device(path) => format!("`{path}`"),
        Source::FileSystem => "the box's file system".to_owned(),
        Source::Memory { .. } => "a file system in memory".to_owned(),
        Source::Processes => "`/proc`".to_owned(),
        Source::Terminals => "the terminals".to_owned(),
    }
}

/// Everything that is done for `setup`, in its order.
pub fn steps(setup: &Setup) -> Vec<Step> {
    let mut steps = vec![Step::JoinCgroups];
    let taken = taken(setup);
    // Only the owner of the host's mounts may take trees out of them; anybody else does it as
    // the owner of the copies that a new namespace has.
    if setup.privileged {
        steps.push(Step::LeaveGroups);
        steps.extend(taken);
        steps.extend([Step::Enter, Step::OwnCgroups, Step::Detach]);
    } else {
        steps.extend([Step::Enter, Step::OwnCgroups, Step::Detach]);
        steps.extend(taken);
    }
    steps.extend([Step::RaiseLoopback, Step::PortsFromZero, Step::Name(setup.hostname.clone())]);
    steps.extend(made(setup));
    steps.push(Step::EnterRoot);
    let attached = numbered(setup).map(|(tree, mount)| Step::Attach { tree, target: mount.target.clone() });
    steps.extend(attached);
    steps.extend(setup.masked_files.iter().cloned().map(Step::MaskFile));
    steps.extend(setup.masked_directories.iter().cloned().map(Step::MaskDirectory));
    steps.push(Step::EnterDirectory(setup.directory.clone()));
    steps.extend(sealed(setup));
    steps
}

/// The steps after which nothing is regained.
fn sealed(setup: &Setup) -> Vec<Step> {
    let limits = setup.limits.iter().copied().map(Step::Limit);
    let rest = [
        Step::BecomeUser(setup.box_id),
        Step::DropCapabilities,
        Step::NoNewPrivileges,
        // Becoming another user clears it, so it comes after.
        Step::DieWithParent,
        Step::Hide,
        Step::Landlock { writable: setup.writable.clone() },
        Step::Seccomp,
    ];
    limits.chain(rest).collect()
}

/// The mounts with the numbers of their trees; 0 is the root's.
fn numbered(setup: &Setup) -> impl Iterator<Item = (usize, &aegis_door::Mount)> {
    setup.mounts.iter().enumerate().map(|(index, mount)| (index + 1, mount))
}

fn taken(setup: &Setup) -> Vec<Step> {
    let root = Step::Take { tree: 0, source: Source::Directory(setup.root.clone()) };
    let of_host = |source: &Source| {
        matches!(source, Source::Directory(_) | Source::File(_) | Source::Device(_) | Source::FileSystem)
    };
    let others = numbered(setup).filter(|(_, mount)| of_host(&mount.source));
    std::iter::once(root).chain(others.map(|(tree, mount)| Step::Take { tree, source: mount.source.clone() })).collect()
}

fn made(setup: &Setup) -> Vec<Step> {
    let own = |source: &Source| matches!(source, Source::Memory { .. } | Source::Processes | Source::Terminals);
    let mounts = numbered(setup).filter(|(_, mount)| own(&mount.source));
    mounts.map(|(tree, mount)| Step::Make { tree, source: mount.source.clone() }).collect()
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
