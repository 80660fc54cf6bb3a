//! softmax

super::pending::pending! { Softmax LogSoftmax }
