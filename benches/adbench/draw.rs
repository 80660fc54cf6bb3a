//! Numbers that every language draws alike.

use ndarray::{ArrayD, IxDyn};

/// SplitMix64.
pub struct Draw(u64);

impl Draw {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Draw(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `[-1/2, 1/2)`.
    pub fn centred(&mut self) -> f64 {
        self.uniform() - 0.5
    }

    /// Mean 0 and variance 1: four uniform ones, added up.
    pub fn normal(&mut self) -> f64 {
        let sum = (0..4).fold(0.0, |sum, _| sum + self.uniform());
        (sum - 2.0) * 1.732_050_807_568_877_2
    }

    /// A whole number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    /// An array of numbers drawn one after the other.
    pub fn array(&mut self, shape: &[usize], mut draw: impl FnMut(&mut Self) -> f64) -> ArrayD<f64> {
        ArrayD::from_shape_simple_fn(IxDyn(shape), || draw(self))
    }
}
