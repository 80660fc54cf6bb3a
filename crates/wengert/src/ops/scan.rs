//! scan

super::pending::pending! { CumSum CumProd }
