//! A service and what it asks for, as they are typed: `SERVICE/INTENT`.

use std::fmt;
use std::str::FromStr;

use aegis_model::governance::intent_problem;

/// A service and an intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IntentName {
    pub(crate) service: String,
    pub(crate) intent: String,
}

impl FromStr for IntentName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (service, intent) =
            text.split_once('/').ok_or_else(|| format!("`{text}` is not of the form `SERVICE/INTENT`"))?;
        for name in [service, intent] {
            if let Some(problem) = intent_problem(name) {
                return Err(format!("`{name}` is not a name: {problem}"));
            }
        }
        Ok(Self { service: service.to_owned(), intent: intent.to_owned() })
    }
}

impl fmt::Display for IntentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.intent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_and_an_intent_are_read_and_nothing_else() {
        let read: IntentName = "billing/refund.order_1".parse().expect("a name");
        assert_eq!((read.service.as_str(), read.intent.as_str()), ("billing", "refund.order_1"));
        assert_eq!(read.to_string(), "billing/refund.order_1");
        for bad in ["billing", "/refund", "billing/", "Billing/refund", "a/b/c", "a b/c", "a/..%2f"] {
            assert!(bad.parse::<IntentName>().is_err(), "{bad}");
        }
    }
}
