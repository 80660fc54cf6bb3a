//! Which vector instructions kernels are run with.

use std::sync::OnceLock;

/// A set of vector instructions that kernels are compiled for.
#[derive(Clone, Copy, Debug)]
pub enum Level {
    /// Whatever every machine of the target has.
    Plain,
    /// AVX2 and fused multiply-add; the token says that the machine has them.
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    /// AVX-512.
    #[cfg(all(target_arch = "x86_64", feature = "avx512"))]
    Avx512(pulp::x86::V4),
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
    /// Whether it is compiled for a [bare](Level::is_bare) level as well, or never asked for there.
    const FOR_BARE: bool = true;
    /// The computation; must be `#[inline(always)]`. `MODE` is [`PLAIN`] or [`FUSED`].
    fn call<const MODE: u8>(self) -> Self::Output;
}

impl Level {
    /// Whether there is nothing but what all x86-64 machines have: their oldest. What only saves time is not compiled for it.
    #[inline(always)]
    pub fn is_bare(self) -> bool {
        cfg!(target_arch = "x86_64") && matches!(self, Level::Plain)
    }

    /// The name that `WENGERT_LEVEL` uses.
    pub fn name(self) -> &'static str {
        match self {
            Level::Plain => "plain",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(_) => "avx2",
            #[cfg(all(target_arch = "x86_64", feature = "avx512"))]
            Level::Avx512(_) => "avx512",
        }
    }
}

/// The level in use: the best the machine has, or the one that `WENGERT_LEVEL` (`plain`, `avx2`, `avx512`) names.
#[inline(always)]
pub fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        let Ok(wanted) = std::env::var("WENGERT_LEVEL") else {
            return available().last().expect("plain is always there");
        };
        available()
            .find(|l| l.name() == wanted)
            .unwrap_or_else(|| panic!("WENGERT_LEVEL={wanted}: not on this machine"))
    })
}

/// The levels this machine has, ascending.
pub fn available() -> impl Iterator<Item = Level> {
    let plain = std::iter::once(Level::Plain);
    #[cfg(target_arch = "x86_64")]
    let plain = plain.chain(pulp::x86::V3::try_new().map(Level::Avx2));
    #[cfg(all(target_arch = "x86_64", feature = "avx512"))]
    let plain = plain.chain(pulp::x86::V4::try_new().map(Level::Avx512));
    plain
}

/// The level in use as `pulp` calls it, for kernels written in its vectors.
pub fn arch() -> pulp::Arch {
    match level() {
        #[cfg(target_arch = "x86_64")]
        Level::Plain => pulp::Arch::Scalar,
        #[cfg(not(target_arch = "x86_64"))]
        Level::Plain => pulp::Arch::new(),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(simd) => pulp::Arch::V3(simd),
        #[cfg(all(target_arch = "x86_64", feature = "avx512"))]
        Level::Avx512(simd) => pulp::Arch::V4(simd),
    }
}

/// Runs `kernel` at the level in use.
#[inline(always)]
pub fn run<K: Kernel>(kernel: K) -> K::Output {
    run_at(level(), kernel)
}

/// As [`run`], by a call: for kernels asked for from several places, each of which would hold the plain level once more.
#[inline(never)]
pub fn run_apart<K: Kernel>(kernel: K) -> K::Output {
    run(kernel)
}

/// Runs `kernel` at `level`.
#[inline(always)]
pub fn run_at<K: Kernel>(level: Level, kernel: K) -> K::Output {
    match level {
        // Targets other than x86-64 have their multiply-add in the base set. Not behind a call of its own: all levels would
        // then read the kernel's arguments from memory, and ops on 64 elements take a quarter longer.
        Level::Plain if const { K::FOR_BARE || !cfg!(target_arch = "x86_64") } => kernel.call::<BASE>(),
        Level::Plain => unreachable!("not asked for at this level"),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(simd) => pulp::Simd::vectorize(simd, Adapter(kernel)),
        #[cfg(all(target_arch = "x86_64", feature = "avx512"))]
        Level::Avx512(simd) => pulp::Simd::vectorize(simd, Adapter(kernel)),
    }
}

#[cfg(target_arch = "x86_64")]
struct Adapter<K>(K);

#[cfg(target_arch = "x86_64")]
impl<K: Kernel> pulp::WithSimd for Adapter<K> {
    type Output = K::Output;
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _simd: S) -> K::Output {
        self.0.call::<FUSED>()
    }
}
