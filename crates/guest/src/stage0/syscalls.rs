//! The line between what is to be done and the kernel. Two implementations: the kernel
//! itself, and one that writes down what would be done.

use rustix::io::Errno;

use super::steps::Step;

/// Whoever performs steps.
pub trait Syscalls {
    /// Performs one step.
    fn perform(&mut self, step: &Step) -> Result<(), Errno>;
}

#[cfg(test)]
pub mod recording {
    //! Writes down what would be done, and fails where a test wants it to.

    use super::{Errno, Step, Syscalls};

    /// What was done so far.
    #[derive(Default)]
    pub struct Recording {
        /// The steps.
        pub done: Vec<Step>,
        /// Which step fails, by its number.
        pub fails_at: Option<usize>,
    }

    impl Syscalls for Recording {
        fn perform(&mut self, step: &Step) -> Result<(), Errno> {
            if self.fails_at == Some(self.done.len()) {
                return Err(Errno::PERM);
            }
            self.done.push(step.clone());
            Ok(())
        }
    }
}
