//! Which vector instructions kernels are run with.

use std::sync::OnceLock;

/// A set of vector instructions that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Whatever every machine of the target has.
    Plain,
    /// AVX2 and fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// One number at a time: the functions of the standard library serve.
pub const SCALAR: u8 = 0;
/// Vector code without a fused multiply-add.
pub const PLAIN: u8 = 1;
/// Vector code with one.
pub const FUSED: u8 = 2;
/// What every machine of the target has.
const BASE: u8 = if cfg!(target_feature = "fma") || cfg!(target_arch = "aarch64") { FUSED } else { PLAIN };

/// A computation that is compiled once for each level.
pub trait Kernel {
    type Output;
    /// The computation; must be `#[inline(always)]`. `MODE` is [`PLAIN`] or [`FUSED`].
    fn call<const MODE: u8>(self) -> Self::Output;
}

/// The level in use: the best the machine has, or the one that `WENGERT_LEVEL` (`plain`, `avx2`, `avx512`) names.
pub fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        let best = available().last().copied().unwrap_or(Level::Plain);
        let Ok(wanted) = std::env::var("WENGERT_LEVEL") else { return best };
        let named = available().iter().find(|l| format!("{l:?}").eq_ignore_ascii_case(&wanted));
        *named.unwrap_or_else(|| panic!("WENGERT_LEVEL={wanted}: this machine has {:?}", available()))
    })
}

/// The `MODE` that [`run`] calls kernels with.
pub fn mode() -> u8 {
    if level() == Level::Plain { BASE } else { FUSED }
}

/// The levels this machine has, ascending.
pub fn available() -> &'static [Level] {
    #[cfg(target_arch = "x86_64")]
    {
        use Level::*;
        return match (pulp::x86::V3::try_new(), pulp::x86::V4::try_new()) {
            (Some(_), Some(_)) => &[Plain, Avx2, Avx512],
            (Some(_), None) => &[Plain, Avx2],
            _ => &[Plain],
        };
    }
    #[allow(unreachable_code)]
    &[Level::Plain]
}

/// Runs `kernel` at the level in use.
#[inline]
pub fn run<K: Kernel>(kernel: K) -> K::Output {
    run_at(level(), kernel)
}

/// Runs `kernel` at `level`, which the machine must have.
#[inline]
pub fn run_at<K: Kernel>(level: Level, kernel: K) -> K::Output {
    match level {
        // Targets other than x86-64 have their multiply-add in the base set.
        Level::Plain => kernel.call::<BASE>(),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            let simd = pulp::x86::V3::try_new().expect("a level the machine has");
            pulp::Simd::vectorize(simd, Adapter(kernel))
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            let simd = pulp::x86::V4::try_new().expect("a level the machine has");
            pulp::Simd::vectorize(simd, Adapter(kernel))
        }
    }
}

struct Adapter<K>(K);

impl<K: Kernel> pulp::WithSimd for Adapter<K> {
    type Output = K::Output;
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _simd: S) -> K::Output {
        self.0.call::<FUSED>()
    }
}
