//! `aegis completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::app::App;
use crate::context::Context;
use crate::failure::Failure;

/// Write the completions of a shell on stdout
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis completions bash > ~/.local/share/bash-completion/completions/aegis
  aegis completions zsh > ~/.zfunc/_aegis")]
pub(crate) struct Arguments {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut App::command(), "aegis", &mut script);
    context.terminal.write(&script)
}
