//! matmul

super::pending::pending! { MatMul Dot Outer Linear }
