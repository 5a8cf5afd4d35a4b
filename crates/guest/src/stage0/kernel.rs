//! Steps as system calls. Must not know: why the order is what it is.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use aegis_door::{Limit, Setup, Source};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};

use super::steps::Step;
use super::syscalls::Syscalls;
use super::{capabilities, landlock, mounts, network, seccomp, unshare};
use crate::control::Control;

/// The kernel, and what was taken into hand so far.
pub struct Kernel<'c> {
    control: &'c Control,
    identity: unshare::Identity,
    cgroups: Vec<OwnedFd>,
    birth_cgroup: Option<OwnedFd>,
    file_system: Option<OwnedFd>,
    trees: BTreeMap<usize, OwnedFd>,
}

impl<'c> Kernel<'c> {
    /// With the descriptors that came beside `setup`.
    pub fn new(control: &'c Control, setup: &Setup, mut descriptors: Vec<OwnedFd>) -> Self {
        let file_system = if setup.descriptors.file_system { descriptors.pop() } else { None };
        let birth_cgroup = if setup.descriptors.birth_cgroup { descriptors.pop() } else { None };
        let identity = unshare::Identity { privileged: setup.privileged, host_id: setup.host_id, box_id: setup.box_id };
        Self { control, identity, cgroups: descriptors, birth_cgroup, file_system, trees: BTreeMap::new() }
    }

    fn tree(&mut self, tree: usize) -> Result<OwnedFd, Errno> {
        self.trees.remove(&tree).ok_or(Errno::BADF)
    }

    fn join_cgroups(&mut self) -> Result<(), Errno> {
        for cgroup in self.cgroups.drain(..) {
            // 0 means the writer itself. It moves one thread, which is all there is: so the
            // kernel does not hold up every process of the machine for it.
            rustix::io::write(&cgroup, b"0")?;
        }
        Ok(())
    }

    fn take(&mut self, tree: usize, source: &Source) -> Result<(), Errno> {
        let taken = match source {
            Source::Directory(path) => mounts::take_directory(path)?,
            Source::File(path) => mounts::take_file(path)?,
            Source::Device(path) => mounts::take_device(path)?,
            Source::FileSystem => self.file_system.take().ok_or(Errno::BADF)?,
            Source::Memory { .. } | Source::Processes | Source::Terminals => return Err(Errno::INVAL),
        };
        self.trees.insert(tree, taken);
        Ok(())
    }

    fn make(&mut self, tree: usize, source: &Source) -> Result<(), Errno> {
        let made = match source {
            Source::Memory { bytes, files, mode } => mounts::make_memory(mounts::Memory {
                bytes: *bytes,
                files: *files,
                mode: *mode,
                owner: self.identity.box_id,
            })?,
            Source::Processes => mounts::make_processes()?,
            Source::Terminals => mounts::make_terminals()?,
            Source::Directory(_) | Source::File(_) | Source::Device(_) | Source::FileSystem => {
                return Err(Errno::INVAL);
            }
        };
        self.trees.insert(tree, made);
        Ok(())
    }
}

impl Syscalls for Kernel<'_> {
    fn perform(&mut self, step: &Step) -> Result<(), Errno> {
        match step {
            Step::JoinCgroups => self.join_cgroups(),
            Step::LeaveGroups => capabilities::leave_groups(),
            Step::Take { tree, source } => self.take(*tree, source),
            Step::Enter => unshare::enter(&self.identity, self.control, self.birth_cgroup.take()),
            Step::OwnCgroups => unshare::own_cgroups(),
            Step::Detach => mounts::detach(),
            Step::RaiseLoopback => network::raise_loopback(),
            Step::PortsFromZero => network::ports_from_zero(),
            Step::Name(name) => rustix::system::sethostname(name.as_bytes()),
            Step::Make { tree, source } => self.make(*tree, source),
            Step::EnterRoot => mounts::enter_root(&self.tree(0)?),
            Step::Attach { tree, target } => mounts::attach(self.tree(*tree)?.as_fd(), target),
            Step::MaskFile(path) => mounts::mask_file(path),
            Step::MaskDirectory(path) => mounts::mask_directory(path),
            Step::EnterDirectory(path) => rustix::process::chdir(path.as_str()),
            Step::Limit(limit) => set(*limit),
            Step::BecomeUser(id) => capabilities::become_user(*id),
            Step::DropCapabilities => capabilities::drop_all(),
            Step::NoNewPrivileges => rustix::thread::set_no_new_privs(true),
            Step::DieWithParent => {
                rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
            }
            Step::Hide => rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable),
            Step::Landlock { writable } => landlock::restrict(writable),
            Step::Seccomp => seccomp::restrict(),
        }
    }
}

fn set(limit: Limit) -> Result<(), Errno> {
    let (resource, most) = match limit {
        Limit::Core(most) => (Resource::Core, most),
        Limit::OpenFiles(most) => (Resource::Nofile, most),
        Limit::Processes(most) => (Resource::Nproc, most),
        Limit::LockedMemory(most) => (Resource::Memlock, most),
        Limit::QueuedSignals(most) => (Resource::Sigpending, most),
        Limit::MessageQueues(most) => (Resource::Msgqueue, most),
    };
    // Never more than the server itself may have: an ordinary user cannot raise it.
    let most = rustix::process::getrlimit(resource).maximum.map_or(most, |ceiling| most.min(ceiling));
    rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
}
