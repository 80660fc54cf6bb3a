//! What the example programs share: data, expected figures, pictures and terminal output.

pub mod cli;
pub mod data;
pub mod expected;
pub mod graph_picture;
pub mod lab2;
pub mod plot;
pub mod report;
