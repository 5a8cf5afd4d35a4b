//! Writes the files that are made from the program into a directory.
#![expect(clippy::print_stderr, reason = "a chore that says what it did")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    let Some(directory) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("name the directory to write to");
        return ExitCode::from(2);
    };
    match generate(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write to `{}`: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}

fn generate(directory: &Path) -> io::Result<()> {
    for (path, text) in aegis_cli::pages() {
        write(directory, path, &text)?;
    }
    write(directory, "docs/manifest.schema.json", &json(&aegis_model::manifest::schema())?)?;
    write(directory, "openapi.json", &json(&aegis_server::openapi())?)
}

fn json(value: &serde_json::Value) -> io::Result<String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(io::Error::other)
}

fn write(directory: &Path, path: &str, text: &str) -> io::Result<()> {
    let path = directory.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}
