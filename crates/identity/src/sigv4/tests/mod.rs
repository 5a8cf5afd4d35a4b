//! The signature against AWS's own vectors, against AWS's own signer, and against everybody
//! who changes a signed request.

mod mutations;
mod peers;
mod refusals;
mod requests;
mod unknown;
mod vectors;
