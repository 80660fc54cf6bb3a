//! What the example programs share: data, expected figures, pictures and terminal output.

pub mod graph_picture;
pub mod plot;
