//! einsum

super::pending::pending! { Einsum }
