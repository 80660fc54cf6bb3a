//! Elementwise ops as data: the names of the table's rows, comparisons and selection.

use super::table::{binary_table, tuned_table, unary_table};

/// Attributes of an elementwise op; what they mean stands in its row.
pub type Params = [f64; 2];

macro_rules! unary_enum {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        /// An elementwise op of one argument.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Unary { $($(#[$doc])* $Variant,)* }

        impl Unary {
            /// Every row of the table, in its order.
            pub const ALL: &'static [Unary] = &[$(Unary::$Variant,)*];
            /// The name in snake case.
            pub fn name(self) -> &'static str {
                match self { $(Unary::$Variant => stringify!($name),)* }
            }
            /// Where tests draw arguments from.
            pub fn domain(self) -> (f64, f64) {
                match self { $(Unary::$Variant => ($lo, $hi),)* }
            }
        }
    };
}
unary_table!(unary_enum);

macro_rules! tuned_enum {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        /// An elementwise op of one argument with attributes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Tuned { $($(#[$doc])* $Variant,)* }

        impl Tuned {
            /// Every row of the table, in its order.
            pub const ALL: &'static [Tuned] = &[$(Tuned::$Variant,)*];
            /// The name in snake case.
            pub fn name(self) -> &'static str {
                match self { $(Tuned::$Variant => stringify!($name),)* }
            }
            /// Where tests draw arguments from.
            pub fn domain(self) -> (f64, f64) {
                match self { $(Tuned::$Variant => ($lo, $hi),)* }
            }
        }
    };
}
tuned_table!(tuned_enum);

macro_rules! binary_enum {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$a:ident, $b:ident, $y:ident| $primal:expr, $pa:expr, $pb:expr, $da:expr, $db:expr;)*) => {
        /// An elementwise op of two arguments that broadcast.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Binary { $($(#[$doc])* $Variant,)* }

        impl Binary {
            /// Every row of the table, in its order.
            pub const ALL: &'static [Binary] = &[$(Binary::$Variant,)*];
            /// The name in snake case.
            pub fn name(self) -> &'static str {
                match self { $(Binary::$Variant => stringify!($name),)* }
            }
            /// Where tests draw both arguments from.
            pub fn domain(self) -> [(f64, f64); 2] {
                match self { $(Binary::$Variant => [$da, $db],)* }
            }
        }
    };
}
binary_table!(binary_enum);

impl Unary {
    /// Whether the gradient is 0 wherever it exists, so that nothing is propagated.
    pub const fn is_flat(self) -> bool {
        matches!(self, Unary::Sign | Unary::Floor | Unary::Ceil | Unary::Round | Unary::Trunc)
    }
}

/// A comparison of two broadcast arguments; the result is a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    /// `a == b`
    Eq,
    /// `a != b`
    Ne,
    /// `a < b`
    Lt,
    /// `a <= b`
    Le,
    /// `a > b`
    Gt,
    /// `a >= b`
    Ge,
}

impl Compare {
    /// Every comparison.
    pub const ALL: &'static [Compare] =
        &[Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le, Compare::Gt, Compare::Ge];

    /// The name in snake case.
    pub fn name(self) -> &'static str {
        match self {
            Compare::Eq => "eq",
            Compare::Ne => "ne",
            Compare::Lt => "lt",
            Compare::Le => "le",
            Compare::Gt => "gt",
            Compare::Ge => "ge",
        }
    }
}
