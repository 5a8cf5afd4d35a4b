//! Attacks by what a program is: other call tables, other personalities, programs that were never a file.
#![expect(unsafe_code, reason = "another call table is reached only by its own instruction")]

use crate::attack::Area::Kernel;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::sys::{self, Ended, call};

pub const ATTACKS: &[Attack] = &[
    Attack::new(Kernel, "int80", "makes a system call by the 32-bit table", int80),
    Attack::new(Kernel, "x32", "makes a system call by the x32 table", x32),
    Attack::new(Kernel, "personality-layout", "turns address randomisation off", personality::<0x0004_0000>),
    Attack::new(Kernel, "personality-execute", "makes all its memory executable", personality::<0x0040_0000>),
    Attack::new(Kernel, "personality-zero-page", "maps the zero page", personality::<0x0010_0000>),
    Attack::new(Kernel, "memfd-exec", "executes a program in memory that is less confined", memfd_exec),
    Attack::new(Kernel, "kernel-pointers", "reads the addresses of the kernel", kernel_pointers),
    Attack::new(Kernel, "module-pointers", "reads the addresses of the kernel modules", module_pointers),
];

/// The number of `getpid` in the 32-bit table.
const GETPID_32: i64 = 20;

/// A kernel without that table ends this process by a signal.
fn int80() -> Outcome {
    let answer: i64;
    // SAFETY: `getpid` takes no argument and touches no memory; the registers that old kernels clear are named.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inlateout("rax") GETPID_32 => answer,
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
        );
    }
    // The table answers in 32 bits, so an error is negative in those.
    let answer = answer as i32;
    Outcome::refused("int 0x80", if answer < 0 { Err(Errno(answer.wrapping_neg())) } else { Ok(answer) })
}

/// The bit that chooses the table of x32.
const X32: i64 = 0x4000_0000;

fn x32() -> Outcome {
    Outcome::refused("getpid of x32", sys::invoke(libc::SYS_getpid | X32, &mut []))
}

fn personality<const FLAG: i64>() -> Outcome {
    Outcome::refused("personality", call!(SYS_personality, FLAG))
}

/// The copy in memory is asked whether it is as confined as this program should be.
fn memfd_exec() -> Outcome {
    let memory = match copy_to_memory() {
        Ok(memory) => memory,
        Err(errno) => return Outcome::held(format!("memfd: {errno}")),
    };
    match sys::run(memory, c"", &[c"attacks", c"confined"]) {
        Ok(Ended::Exit(0)) => Outcome::held("it runs, exactly as confined"),
        Ok(Ended::Exit(code)) => Outcome::broken(format!("it runs, and is not confined (exit code {code})")),
        Ok(Ended::Signal(signal)) => Outcome::held(format!("killed by signal {signal}")),
        Err(errno) => Outcome::held(format!("execveat: {errno}")),
    }
}

fn copy_to_memory() -> Result<i64, Errno> {
    let program = std::fs::read("/proc/self/exe")?;
    let memory = call!(SYS_memfd_create, c"attack", libc::MFD_CLOEXEC)?;
    let mut rest = program.as_slice();
    while !rest.is_empty() {
        let written = call!(SYS_write, memory, rest, rest.len())?;
        rest = rest.get(usize::try_from(written).unwrap_or(0)..).unwrap_or_default();
    }
    Ok(memory)
}

fn kernel_pointers() -> Outcome {
    pointers("/proc/kallsyms", |line| line.split_whitespace().next())
}

fn module_pointers() -> Outcome {
    pointers("/proc/modules", |line| line.split_whitespace().nth(5)?.strip_prefix("0x"))
}

/// Held if the file cannot be read, or shows nothing but zeros.
fn pointers(path: &str, pick: fn(&str) -> Option<&str>) -> Outcome {
    match std::fs::read_to_string(path) {
        Err(error) => Outcome::held(format!("{path}: {}", Errno::from(error))),
        Ok(text) if text.lines().filter_map(pick).any(is_pointer) => Outcome::broken(format!("{path} shows addresses")),
        Ok(_) => Outcome::held(format!("{path} shows no addresses")),
    }
}

fn is_pointer(word: &str) -> bool {
    u64::from_str_radix(word, 16).is_ok_and(|address| address != 0)
}

#[cfg(test)]
mod tests {
    use super::is_pointer;

    #[test]
    fn zeros_are_no_pointer() {
        assert!(is_pointer("ffffffff81000000"));
        assert!(!is_pointer("0000000000000000"));
        assert!(!is_pointer("(null)"));
    }
}
