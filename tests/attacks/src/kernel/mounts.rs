//! Attacks that change what is mounted where, or where the root is.

use crate::attack::Area::Kernel;
use crate::attack::{Attack, Outcome};
use crate::scratch::Scratch;
use crate::sys::{self, call};

/// `open_tree_attr`, which the crate `libc` does not know yet.
const SYS_OPEN_TREE_ATTR: i64 = 467;

pub const ATTACKS: &[Attack] = &[
    Attack::new(Kernel, "mount-tmpfs", "mounts a file system", mount_tmpfs),
    Attack::new(Kernel, "mount-proc", "mounts a second, unmasked /proc", mount_proc),
    Attack::new(Kernel, "mount-bind", "binds a directory to another place", mount_bind),
    Attack::new(Kernel, "mount-remount", "makes a read-only mount writable", mount_remount),
    Attack::new(Kernel, "umount-proc", "takes the mask off /proc by unmounting", umount_proc),
    Attack::new(Kernel, "fsopen", "opens a file system with the new mount calls", fsopen),
    Attack::new(Kernel, "fsmount", "makes a mount with the new mount calls", fsmount),
    Attack::new(Kernel, "fspick", "reconfigures a mounted file system", fspick),
    Attack::new(Kernel, "open-tree", "clones the tree of mounts", open_tree),
    Attack::new(Kernel, "open-tree-attr", "clones the tree of mounts with other attributes", open_tree_attr),
    Attack::new(Kernel, "move-mount", "moves a mount", move_mount),
    Attack::new(Kernel, "mount-setattr", "changes the attributes of a mount", mount_setattr),
    Attack::new(Kernel, "pivot-root", "changes the root of all processes", pivot_root),
    Attack::new(Kernel, "chroot", "changes its own root", chroot),
];

/// Mounts, and takes the mount away again should it have worked.
fn mount(source: &std::ffi::CStr, kind: &std::ffi::CStr, flags: u64) -> Outcome {
    Scratch::with(|scratch| {
        let place = scratch.text();
        let result = call!(SYS_mount, source, &place, kind, flags, 0);
        if result.is_ok() {
            _ = call!(SYS_umount2, &place, libc::MNT_DETACH);
        }
        Outcome::refused("mount", result)
    })
}

fn mount_tmpfs() -> Outcome {
    mount(c"tmpfs", c"tmpfs", 0)
}

fn mount_proc() -> Outcome {
    mount(c"proc", c"proc", libc::MS_RDONLY)
}

fn mount_bind() -> Outcome {
    mount(c"/usr", c"none", libc::MS_BIND)
}

/// The scratch directory is no mount, so the call cannot succeed: whoever may do it is told EINVAL.
fn mount_remount() -> Outcome {
    mount(c"none", c"none", libc::MS_REMOUNT | libc::MS_BIND)
}

/// With `MNT_EXPIRE` a mount in use only says that it could have been unmounted.
fn umount_proc() -> Outcome {
    Outcome::refused("umount2", call!(SYS_umount2, c"/proc", libc::MNT_EXPIRE))
}

fn fsopen() -> Outcome {
    Outcome::refused("fsopen", call!(SYS_fsopen, c"tmpfs", 0))
}

fn fsmount() -> Outcome {
    Outcome::refused("fsmount", call!(SYS_fsmount, -1, 0, 0))
}

fn fspick() -> Outcome {
    Outcome::refused("fspick", call!(SYS_fspick, libc::AT_FDCWD, c"/", 0))
}

/// `OPEN_TREE_CLONE`; without it the call only opens a path.
const CLONE: i32 = 1;

fn open_tree() -> Outcome {
    Outcome::refused("open_tree", call!(SYS_open_tree, libc::AT_FDCWD, c"/", CLONE))
}

fn open_tree_attr() -> Outcome {
    let mut arguments = [i64::from(libc::AT_FDCWD), 0, CLONE.into(), 0, 0].map(sys::Arg::Number);
    arguments[1] = c"/".into();
    Outcome::refused("open_tree_attr", sys::invoke(SYS_OPEN_TREE_ATTR, &mut arguments))
}

fn move_mount() -> Outcome {
    Outcome::refused("move_mount", call!(SYS_move_mount, -1, c"", -1, c"", 0))
}

/// Attributes that change nothing.
fn mount_setattr() -> Outcome {
    let attributes = [0_u8; 32];
    Outcome::refused("mount_setattr", call!(SYS_mount_setattr, libc::AT_FDCWD, c"/", 0, &attributes, 32))
}

/// The scratch directory is no mount, so the call cannot succeed.
fn pivot_root() -> Outcome {
    Scratch::with(|scratch| {
        let place = scratch.text();
        Outcome::refused("pivot_root", call!(SYS_pivot_root, &place, &place))
    })
}

/// In a process of its own, whose new root is then nobody else's.
fn chroot() -> Outcome {
    Outcome::refused("chroot", call!(SYS_chroot, c"/usr"))
}
