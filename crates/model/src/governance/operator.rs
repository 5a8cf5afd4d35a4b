//! How a field may be compared. Must not know how it is done.

use super::value::ValueKind;

/// What an operator compares a field with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// With nothing.
    Nothing,
    /// With a value of one of these kinds.
    One(&'static [ValueKind]),
}

macro_rules! operators {
    ($($variant:ident $name:literal $takes:expr, $summary:literal;)*) => {
        /// How a field is compared.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operator {
            $(#[doc = $summary] $variant,)*
        }

        impl Operator {
            /// Every operator.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The operator as it is written in a record.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What it compares a field with.
            pub const fn takes(self) -> Takes {
                match self { $(Self::$variant => $takes),* }
            }
        }
    };
}

use ValueKind::{Boolean, Number, Numbers, Text, Texts};

operators! {
    Equals "equals" Takes::One(&[Text, Number, Boolean]), "The field is the value.";
    NotEquals "not_equals" Takes::One(&[Text, Number, Boolean]), "The field is of the value's type, and another.";
    Contains "contains" Takes::One(&[Text, Number]), "The field is a text with the value in it, or a list of which the value is one.";
    NotContains "not_contains" Takes::One(&[Text, Number]), "The field is a text without the value in it, or a list of which the value is none.";
    GreaterThan "greater_than" Takes::One(&[Number]), "The field is a number above the value.";
    GreaterOrEqual "greater_or_equal" Takes::One(&[Number]), "The field is a number not below the value.";
    LessThan "less_than" Takes::One(&[Number]), "The field is a number below the value.";
    LessOrEqual "less_or_equal" Takes::One(&[Number]), "The field is a number not above the value.";
    In "in" Takes::One(&[Texts, Numbers]), "The field is one of the values.";
    NotIn "not_in" Takes::One(&[Texts, Numbers]), "The field is of the values' type, and none of them.";
    StartsWith "starts_with" Takes::One(&[Text]), "The field is a text that begins with the value.";
    EndsWith "ends_with" Takes::One(&[Text]), "The field is a text that ends with the value.";
    Exists "exists" Takes::Nothing, "The field is there, whatever it is.";
    NotExists "not_exists" Takes::Nothing, "The field is not there.";
}

impl Operator {
    /// The operator that is written like this.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operator| operator.as_str() == name)
    }
}
