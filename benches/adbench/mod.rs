//! The four objectives of the field's benchmark, ADBench (Srajer, Kukelova, Fitzgibbon, arXiv 1807.10129): a Gaussian
//! mixture, bundle adjustment, an LSTM and hand tracking, with the public API as a user would write them.
//!
//! The data are drawn by [`Draw`], so that every language can draw the same; `data/` holds objective and gradient of each
//! instance as two other tools agree on them. `plain` is the objective in plain numbers: what a gradient's time is set
//! against.

mod bundle;
mod draw;
mod hand;
mod lstm;
mod mixture;
mod reference;

use ndarray::ArrayD;
use wengert::prelude::*;

pub use draw::Draw;
pub use reference::Reference;

/// An objective with its data.
pub trait Objective {
    /// The arrays to differentiate, at the point where the references stand and in their order.
    fn parameters(&self) -> Vec<ArrayD<f64>>;

    /// Records the data.
    fn constants(&self, g: &Graph) -> Vec<Var>;

    /// Records the objective from the handles of the parameters and of the data.
    fn record(&self, g: &Graph, params: &[Var], data: &[Var]) -> Var;

    /// The objective in plain numbers, at the same point.
    fn plain(&self) -> f64;
}

/// The instances of middle size, in the order in which tables show them.
pub const INSTANCES: [&str; 16] = [
    "gmm_d2_K5_n1000",
    "gmm_d2_K200_n1000",
    "gmm_d10_K5_n1000",
    "gmm_d10_K10_n1000",
    "gmm_d10_K200_n1000",
    "gmm_d20_K10_n1000",
    "gmm_d32_K10_n1000",
    "gmm_d64_K5_n1000",
    "gmm_d128_K5_n1000",
    "lstm_l2_c1024_b14",
    "lstm_l4_c1024_b14",
    "ba_n21_m1131_p3645",
    "ba_n49_m7776_p31843",
    "hand_v544_c100_simple",
    "hand_v544_c100_complicated",
    "hand_v544_c800_complicated",
];

/// The instances that take longer.
pub const LARGE: [&str; 5] = [
    "gmm_d10_K10_n10000",
    "gmm_d20_K25_n10000",
    "gmm_d64_K10_n10000",
    "lstm_l2_c4096_b14",
    "lstm_l4_c4096_b14",
];

/// Those small enough to be followed by hand; the last has a camera that does not turn, where a square root is 0.
pub const TINY: [&str; 7] = [
    "gmm_d2_K3_n20",
    "gmm_d3_K4_n30_wishart",
    "lstm_l2_c8_b3",
    "hand_v12_c6_simple",
    "hand_v12_c6_complicated",
    "ba_n2_m4_p6",
    "ba_n2_m4_p6_zero_rotation",
];

/// The instance that a file of `data/` describes: the name without ending. `None` where there is no such file.
pub fn instance(name: &str) -> Option<(Box<dyn Objective>, Reference)> {
    let reference = Reference::read(name)?;
    let a = |key: &str| reference.arg(key);
    let objective: Box<dyn Objective> = match reference.family() {
        "gmm" => {
            let prior = (reference.number("gamma"), a("m"));
            Box::new(mixture::Mixture::new(a("d"), a("K"), a("n"), prior, a("seed") as u64))
        }
        "ba" => {
            let still = reference.flag("zero_rot0");
            Box::new(bundle::Bundle::new(a("n"), a("m"), a("p"), still, a("seed") as u64))
        }
        "lstm" => Box::new(lstm::Lstm::new(a("l"), a("c"), a("b"), a("seed") as u64)),
        _ => {
            let complicated = reference.flag("complicated");
            Box::new(hand::Hand::new(a("nv"), a("nt"), a("nc"), complicated, a("seed") as u64))
        }
    };
    Some((objective, reference))
}
