//! assemble

super::pending::pending! { Slice Select SliceInto Concat Stack Split Pad Flip Roll Tril Triu Diag Trace Tile RepeatInterleave }
