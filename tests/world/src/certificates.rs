//! The authority of one world and the certificates that it signs. Must not know: who serves
//! with them.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Whether a client that trusts the authority of the world should trust a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The certificate is good for its names.
    Good,
    /// The certificate was good for its names once.
    Expired,
    /// The certificate is for its names, but signed by an authority that nobody knows.
    Stranger,
}

/// An authority that signs certificates.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// A new authority, with a key that nobody had before.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("the machine gives random bytes");
        let mut params = CertificateParams::new(Vec::new()).expect("no name is a list of good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "outside world");
        let pem = params.self_signed(&key).expect("a new key signs").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// The certificate of the authority.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for these names, and its key.
    pub(crate) fn certify(&self, names: &[&str], trust: Trust) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let names: Vec<String> = names.iter().copied().map(str::to_owned).collect();
        let mut params = CertificateParams::new(names).expect("the test gives good names");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(if trust == Trust::Expired { 2021 } else { 2100 }, 1, 1);
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().expect("the machine gives random bytes");
        let stranger;
        let issuer = if trust == Trust::Stranger {
            stranger = Self::new();
            &stranger.issuer
        } else {
            &self.issuer
        };
        let certificate = params.signed_by(&key, issuer).expect("the authority signs");
        (certificate.into(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}
