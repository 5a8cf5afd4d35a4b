//! Runs a program in a box and shows what comes of it: for trying things out by hand.
//! `cargo run -p aegis-runtime --example run -- COMMAND ARGUMENTS…`; with `-it` first, in a
//! terminal.
#![expect(clippy::print_stderr, clippy::disallowed_methods, reason = "a program for people")]

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use aegis_model::boxes::{BoxPlan, BoxResources, Exit, Program, RootPlan, TerminalSize};
use aegis_model::port::{Clock, Running, Runtime};
use aegis_model::time::Timestamp;
use aegis_runtime::process::{ProcessRuntime, Settings};
use bytes::Bytes;

struct Steady(std::time::Instant);

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let terminal = arguments.first().is_some_and(|first| first == "-it");
    if terminal {
        arguments.remove(0);
    }
    match run(arguments, terminal).await {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Vec<String>, terminal: bool) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("aegis-run-{}", std::process::id()));
    let settings = Settings {
        directory: directory.clone(),
        ready_per_size: 0,
        boxes_max: 10,
        clock: Arc::new(Steady(std::time::Instant::now())),
    };
    let runtime = ProcessRuntime::open(settings).await?;
    let code = std::env::var_os("AEGIS_RUN_CODE").map(PathBuf::from);
    let resources = BoxResources::default();
    let started = std::time::Instant::now();
    let made = runtime.create(BoxPlan { root: RootPlan::Host, code, resources, agent: None }).await?;
    eprintln!("box after {:?}", started.elapsed());
    let mut program = Program::of(arguments);
    program.terminal = terminal.then_some(TerminalSize { rows: 24, columns: 80 });
    let running = made.exec(program).await?;
    let exit = show(running).await?;
    eprintln!("{exit:?} after {:?}; {:?}", started.elapsed(), made.stats().await?);
    eprintln!("{:?}", made.kill().await);
    runtime.close().await;
    std::fs::remove_dir_all(directory)?;
    Ok(match exit {
        Exit::Code(code) => ExitCode::from(code),
        _ => ExitCode::FAILURE,
    })
}

async fn show(running: Running) -> Result<Exit, Box<dyn std::error::Error>> {
    let Running { mut input, mut output, mut errors, steering } = running;
    let (lines, mut typed) = tokio::sync::mpsc::channel(16);
    std::thread::spawn(move || {
        let mut piece = [0; 1_024];
        while let Ok(length) = std::io::stdin().read(&mut piece) {
            if length == 0 || lines.blocking_send(Bytes::copy_from_slice(&piece[..length])).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(bytes) = typed.recv().await {
            if input.write(bytes).await.is_err() {
                return;
            }
        }
    });
    let complaining = tokio::spawn(async move {
        while let Ok(Some(bytes)) = errors.read().await {
            let _ = std::io::stderr().write_all(&bytes);
        }
    });
    while let Some(bytes) = output.read().await? {
        std::io::stdout().write_all(&bytes)?;
        std::io::stdout().flush()?;
    }
    complaining.await?;
    Ok(steering.ending().await.exit)
}
