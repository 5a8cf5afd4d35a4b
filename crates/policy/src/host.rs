//! Which names are hosts in normal form, and which domains such a name lies in.
//! Must not know how names are resolved or normalised: a name that is not in normal form
//! already lies in no domain at all, so no wildcard reaches it.

const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Whether the name is in normal form: lower-case labels of letters, digits and inner hyphens,
/// no trailing dot.
pub(crate) fn is_normal(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Whether clients would read the name as an address: then its labels are no domains.
pub(crate) fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hexadecimal = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hexadecimal || last.bytes().all(|byte| byte.is_ascii_digit())
}

/// Every domain that the name lies strictly below, nearest first.
pub(crate) fn domains(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = if is_normal(name) && !ends_in_number(name) { name } else { "" };
    std::iter::from_fn(move || {
        let (_, parent) = rest.split_once('.')?;
        rest = parent;
        Some(parent)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_lies_in_every_domain_above_it_and_not_in_itself() {
        assert_eq!(domains("a.api.github.com").collect::<Vec<_>>(), ["api.github.com", "github.com", "com"]);
        assert_eq!(domains("localhost").count(), 0);
    }

    #[test]
    fn a_name_that_is_not_in_normal_form_lies_nowhere() {
        let long_label = format!("{}.github.com", "a".repeat(64));
        let long_name = format!("{}github.com", "a.".repeat(130));
        for name in [
            "",
            ".",
            "api.github.com.",
            ".github.com",
            "a..github.com",
            "API.github.com",
            "a@b.github.com",
            "a/b.github.com",
            "a:1.github.com",
            "a b.github.com",
            "a\0.github.com",
            "a%00.github.com",
            "ä.github.com",
            "-a.github.com",
            "a-.github.com",
            "*.github.com",
            "10.0.0.1",
            "10.0.0.0x1",
            long_label.as_str(),
            long_name.as_str(),
        ] {
            assert_eq!(domains(name).count(), 0, "{name:?}");
        }
    }
}
