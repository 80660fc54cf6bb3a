//! network

super::pending::pending! { Attention LstmCell GruCell }
