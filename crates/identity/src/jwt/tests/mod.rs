//! Tokens against the published vectors, against another library, and against everybody who
//! changes, confuses or forges one.

mod claim_checks;
mod forgeries;
mod issuers;
mod key_sets;
mod peers;
mod rules;
mod vectors;
mod workloads;
