//! Whether a text looks like a secret that somebody pasted where everybody can read it.
//! Errs towards refusing; the way out is always the same: store it as a secret.

/// How the credentials of common services begin.
const PREFIXES: &[&str] = &[
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "pk_live_",
    "whsec_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxr-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "npm_",
    "pypi-",
    "hf_",
    "dop_v1_",
    "shpat_",
    "SG.",
    "key_live_",
    "lin_api_",
    "tvly-",
    "pplx-",
    "gsk_",
    "aegis_",
];

/// Shortest text after a prefix that is taken for a credential.
const AFTER_PREFIX_MIN: usize = 12;
/// Shortest token that is judged by how random it looks.
const RANDOM_LENGTH_MIN: usize = 20;
/// Shortest token of hexadecimal digits that is taken for a key.
const HEXADECIMAL_LENGTH_MIN: usize = 32;

/// How the names of variables that hold secrets end.
const NAMES: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "SECRET_KEY",
    "TOKEN",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
];

/// Why the text looks like a secret, if it does. Never repeats it.
pub(super) fn reason(text: &str) -> Option<&'static str> {
    if text.contains("PRIVATE KEY-----") {
        return Some("it holds a private key");
    }
    if has_password(text) {
        return Some("it holds a URL with a password");
    }
    let mut tokens = text.split(|char: char| !(char.is_ascii_alphanumeric() || "_-.+".contains(char)));
    tokens.find_map(|token| token_reason(token.trim_start_matches(['_', '-', '.', '+'])))
}

/// Why a variable of that name and value looks like a secret.
pub(super) fn variable_reason(name: &str, value: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    let named =
        NAMES.iter().any(|end| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')));
    let harmless = matches!(value, "" | "true" | "false" | "placeholder");
    if named && !harmless { Some("its name says that it is one") } else { reason(value) }
}

/// Whether the text has a `scheme://user:password@host` in it.
fn has_password(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
        authority
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty())
    })
}

fn token_reason(token: &str) -> Option<&'static str> {
    let begins = |prefix: &str| token.strip_prefix(prefix).is_some_and(|rest| is_credential(prefix, rest));
    if PREFIXES.iter().any(|prefix| begins(prefix)) {
        return Some("it begins like the credential of a known service");
    }
    if is_web_token(token) {
        return Some("it is a web token");
    }
    is_random(token).then_some("it is long and looks random")
}

/// Whether what follows a known prefix is the rest of a credential, not a word like `sk-learn`.
fn is_credential(prefix: &str, rest: &str) -> bool {
    let dots = prefix.ends_with('.') || !rest.contains('.');
    rest.len() >= AFTER_PREFIX_MIN && dots && rest.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether the text is three base64 parts of which the first is a JSON header.
fn is_web_token(token: &str) -> bool {
    token.starts_with("eyJ") && token.split('.').count() == 3 && token.len() > 40
}

/// Whether a token changes between kinds of characters far more often than words do.
fn is_random(token: &str) -> bool {
    if token.len() < RANDOM_LENGTH_MIN || is_harmless(token) {
        return false;
    }
    if token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return token.len() >= HEXADECIMAL_LENGTH_MIN && distinct(token) >= 8;
    }
    let kinds: Vec<u8> = token.bytes().map(kind).collect();
    let changed = |pair: &&[u8]| pair.first() != pair.last() && !pair.contains(&b'-');
    let changes = kinds.windows(2).filter(changed).count();
    let has = |wanted: u8| kinds.contains(&wanted);
    let mixed = has(b'0') && has(b'a') && (has(b'A') || token.len() >= HEXADECIMAL_LENGTH_MIN);
    mixed && changes * 5 >= token.len() * 2 && distinct(token) >= 10
}

/// Digests and UUIDs are long and random, but no secrets.
fn is_harmless(token: &str) -> bool {
    let uuid = token.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let commit = token.len() == 40;
    (uuid || commit) && token.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn kind(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => b'0',
        b'a'..=b'z' => b'a',
        b'A'..=b'Z' => b'A',
        _ => b'-',
    }
}

fn distinct(token: &str) -> usize {
    token.bytes().collect::<std::collections::BTreeSet<u8>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str, secret: bool) {
        assert_eq!(
            variable_reason(name, value).is_some(),
            secret,
            "{name}={value}: {:?}",
            variable_reason(name, value)
        );
    }

    #[test]
    fn credentials_are_recognised() {
        for value in [
            concat!("ghp", "_0123456789abcdefABCDEF0123456789abcd"),
            concat!("Bearer sk", "-proj-abcdefgh1jklmnop"),
            concat!("AKIA", "IOSFODNN7EXAMPLE"),
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY0a1B2c3D4e5F6g7H8",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "postgres://app:hunter2@db.internal/app",
            "-----BEGIN PRIVATE KEY-----\nMIIEvQ",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
            "q7Zt2mX9bL4vKc8RfW1yHd5N",
        ] {
            check("VALUE", value, true);
        }
        check("DB_PASSWORD", "hunter2", true);
        check("token", "x", true);
    }

    #[test]
    fn plain_settings_are_not_taken_for_secrets() {
        for value in [
            "",
            "info",
            "https://api.example.com/v1/repos?per_page=100",
            "postgres://app@db.internal/app",
            "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-20250514-v1:0",
            "/usr/lib/python3.11/site-packages:/usr/local/lib/python3.11/dist-packages",
            "550e8400-e29b-41d4-a716-446655440000",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "The quick brown fox jumps over the lazy dog 1234567890",
            "claude-3-5-sonnet-20241022",
            "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "sk-learn-preprocessing",
            "aegis_demo_agents_for_everybody",
            "00000000000000000000000000000000000000000000",
            "2026-11-20T12:00:00.000Z",
        ] {
            check("VALUE", value, false);
        }
        check("MAX_TOKENS", "4096", false);
        check("USE_TOKEN", "true", false);
        check("OPENAI_API_KEY", "placeholder", false);
    }
}
