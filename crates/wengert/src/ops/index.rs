//! index

super::pending::pending! { IndexSelect IndexAdd Gather ScatterAdd Embedding }
