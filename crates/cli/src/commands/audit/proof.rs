//! `aegis audit proof`: proves that an entry is in the ledger, or checks such a proof.

use std::path::{Path, PathBuf};

use aegis_ledger::{Checkpoint, ENTRY_SIZE_MAX_BYTES, TlogProof};
use aegis_model::api::ProofQuery;
use serde_json::json;

use super::{show, verify};
use crate::context::Context;
use crate::export;
use crate::failure::{Failure, chain};
use crate::input;
use crate::output::{clean, clean_lines};

/// Larger files are not proofs.
const PROOF_SIZE_MAX_BYTES: u64 = 256 * 1024;

/// Prove that an entry is in the ledger, or check such a proof
///
/// A proof is a C2SP `tlog-proof`. Checking one with the entry's bytes asks no server; without
/// them, the entry is fetched and then checked here.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis audit proof 17 > 17.tlog-proof
  aegis audit proof --verify 17.tlog-proof --entry entry --key 'aegis/default+0a1b2c3d+AQID'")]
pub(crate) struct Arguments {
    /// The entry's position, from 0
    #[arg(required_unless_present = "verify", conflicts_with = "verify")]
    position: Option<u64>,
    /// Check this proof; `-` for stdin
    #[arg(long, value_name = "FILE", requires = "key")]
    verify: Option<PathBuf>,
    /// The key that must have signed, as `aegis audit checkpoint` once said it
    #[arg(long, value_name = "VKEY", requires = "verify")]
    key: Option<String>,
    /// The entry's bytes, as `aegis audit show POSITION --bytes` writes them
    #[arg(long, value_name = "FILE", requires = "verify")]
    entry: Option<PathBuf>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    match (&arguments.verify, &arguments.key, arguments.position) {
        (Some(proof), Some(key), _) => check(context, proof, key, arguments.entry.as_deref()),
        (None, _, Some(position)) => prove(context, position),
        _ => Err(Failure::usage("neither a position nor a proof was named", "see `aegis audit proof --help`")),
    }
}

fn prove(context: &mut Context, position: u64) -> Result<(), Failure> {
    let client = context.client()?;
    let proof = context.wait(client.ledger_proof(&ProofQuery { position, size: None }))?;
    let text = proof.tlog_proof.clone();
    let text = text.ok_or_else(|| Failure::internal("the server gave no `tlog-proof` for the present ledger"))?;
    context.show(&proof, |_| clean_lines(&text))
}

fn check(context: &mut Context, path: &Path, key: &str, entry: Option<&Path>) -> Result<(), Failure> {
    let key = verify::key(key)?;
    let bytes = input::read(context, path, PROOF_SIZE_MAX_BYTES)?;
    let proof = TlogProof::parse(&bytes).map_err(|error| {
        Failure::usage(
            format!("`{}`: {}", path.display(), chain(&error)),
            "write one with `aegis audit proof POSITION`",
        )
    })?;
    let entry = match entry {
        Some(path) => input::read(context, path, ENTRY_SIZE_MAX_BYTES as u64)?,
        None => export::entry_bytes(&show::fetch(context, proof.position)?)?,
    };
    let head = proof.verify(&entry, &key).map_err(|error| {
        let message = format!("the proof does not hold: {}", chain(&error));
        Failure::tampered(
            message,
            "check that proof, entry and key belong together; if they do, the ledger was changed",
        )
    })?;
    tell(context, proof.position, &head)
}

fn tell(context: &mut Context, position: u64, head: &Checkpoint) -> Result<(), Failure> {
    let answer = json!({"verified": true, "position": position, "size": head.size, "origin": head.origin});
    context.show(&answer, |style| {
        let text = format!(": entry {position} is among the {} of {}", head.size, head.origin);
        style.good("verified") + &clean(&text)
    })
}
