//! linalg

super::pending::pending! { Inverse Solve Det SlogDet Cholesky TriangularSolve Eigh Svd Qr }
