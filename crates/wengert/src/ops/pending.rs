//! Ops whose rules are not written yet: refused by name, never faked.

macro_rules! pending {
    ($($Op:ident)*) => { $(impl<T: crate::kernel::functions::Functions> crate::rule::Rule<T> for crate::op::$Op {
        fn infer(&self, _args: &[crate::rule::Arg]) -> Result<crate::rule::Specs, crate::error::Refusal> {
            Err(crate::error::Refusal::new(crate::error::ErrorKind::InvalidAttribute, "this op is not supported yet"))
        }
    })* };
}

pub(super) use pending;
