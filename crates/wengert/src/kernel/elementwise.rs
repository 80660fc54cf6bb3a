//! Loops over slices for the rows of the elementwise table, compiled for each level.

#[cfg(test)]
mod tests;

use crate::kernel::functions::{Functions, SMALL_POWERS};
use crate::kernel::level::{Kernel, level, run};
use crate::kernel::number::{Number, math};
use crate::kernel::reads::Reads;
use crate::kernel::threads::{self, PIECE};
use crate::memory::prefetch;
use crate::op::table::{binary_table, tuned_table, unary_table};
use crate::op::{Binary, Params, Tuned, Unary};
use crate::words::*;

/// An elementwise op of one argument, with or without attributes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Map {
    Unary(Unary),
    Tuned(Tuned, Params),
}

impl Map {
    pub fn name(self) -> &'static str {
        match self {
            Map::Unary(op) => op.name(),
            Map::Tuned(op, _) => op.name(),
        }
    }

    /// Whether the derivative is 0 wherever there is one.
    pub fn is_flat(self) -> bool {
        matches!(self, Map::Unary(op) if op.is_flat())
    }

    /// Whether value and partial are computed in one loop where both are wanted: it mostly takes 0.45 to 0.95 of the time of two.
    pub fn joins(self) -> bool {
        let shares = match self {
            Map::Unary(op) => unary_shares(op),
            Map::Tuned(op, _) => tuned_shares(op),
        };
        shares && !level().is_bare()
    }

    /// What the partial reads.
    pub fn reads(self) -> Reads {
        match self {
            Map::Unary(op) => Reads::unary(op),
            Map::Tuned(op, p) => Reads::tuned(op, p),
        }
    }
}

/// Whether value and partial have a function in common. Of other rows one loop is no faster than two, and up to 1.8 times as
/// slow where one of the two calls a function of single numbers.
const fn unary_shares(op: Unary) -> bool {
    use Unary::*;
    matches!(
        op,
        Entr | Sin
            | Cos
            | Asin
            | Acos
            | Sinh
            | Cosh
            | Tanh
            | Acosh
            | Sigmoid
            | LogSigmoid
            | Silu
            | Mish
            | Gelu
            | Erfc
            | Ndtr
    )
}

/// As [`unary_shares`].
const fn tuned_shares(op: Tuned) -> bool {
    matches!(op, Tuned::Powf | Tuned::Softplus)
}

/// Elements that stay in the first-level cache between two looks at them.
const STRIP: usize = 1024;
/// Bytes of an array from which its next strip is asked for while one is computed, and bytes of such a strip: more at once
/// would queue for memory.
const FAR: usize = 1 << 21;
const ASKED: usize = 1 << 10;

/// How many elements are computed at a time.
fn strip<T>(op: Map, len: usize) -> usize {
    match len * size_of::<T>() {
        FAR.. => ASKED / size_of::<T>(),
        _ if looks(op) => STRIP,
        _ => len,
    }
}

/// Asks for a strip, or what there is of it, of a long array.
fn ask<T>(x: &[T], start: usize, len: usize) {
    if size_of_val(x) >= FAR && start < x.len() {
        prefetch(&x[start..][..len.min(x.len() - start)]);
    }
}

/// Whether an op looks at its arguments before it begins.
fn looks(op: Map) -> bool {
    matches!(op, Map::Unary(Unary::Sin | Unary::Cos | Unary::Tan))
}

/// Whether a trigonometric function is asked for at an argument beyond the range of its vector code.
fn wraps<T: Functions>(op: Map, x: &[T]) -> bool {
    looks(op) && run(AnyFar(x))
}

struct AnyFar<'a, T>(&'a [T]);

impl<T: Functions> Kernel for AnyFar<'_, T> {
    type Output = bool;
    #[inline(always)]
    fn call<const MODE: u8>(self) -> bool {
        // All are looked at: a loop with one way out is vector code.
        self.0.iter().fold(false, |far, x| far | x.is_far())
    }
}

/// Attributes of a whole power that takes more products than the vector code has.
fn high_power(op: Map) -> Option<Params> {
    match op {
        Map::Tuned(Tuned::Powi, p) if !SMALL_POWERS.contains(&p[0]) => Some(p),
        _ => None,
    }
}

/// `y = f(x)`
pub fn map_forward<T: Functions>(op: Map, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len());
    if threads::pays(x.len()) {
        let pieces = x.chunks(PIECE).zip(y.chunks_mut(PIECE));
        return threads::each(pieces, |(x, y)| map_forward(op, x, y));
    }
    let strip = strip::<T>(op, x.len());
    if strip < x.len() {
        for (k, y) in y.chunks_mut(strip).enumerate() {
            let start = k * strip;
            ask(x, start + strip, strip);
            map_forward(op, &x[start..][..y.len()], y);
        }
        return;
    }
    if wraps(op, x) {
        let x: Vec<T> = x.iter().map(|x| x.wrapped()).collect();
        return map_forward(op, &x, y);
    }
    if let Some(p) = high_power(op) {
        return y.iter_mut().zip(x).for_each(|(y, x)| *y = T::tuned_row(Tuned::Powi, p, *x).0);
    }
    match op {
        Map::Unary(op) => run(UnaryForward { op, x, y }),
        Map::Tuned(op, p) => run(TunedForward { op, p, x, y }),
    }
}

/// `out = g f'(x)`, or `out += g f'(x)`.
pub fn map_vjp<T: Functions>(op: Map, x: &[T], y: &[T], g: &[T], out: &mut [T], accumulate: bool) {
    assert!(x.len() == out.len() && y.len() == out.len() && g.len() == out.len());
    if threads::pays(x.len()) {
        let read = x.chunks(PIECE).zip(y.chunks(PIECE)).zip(g.chunks(PIECE));
        return threads::each(read.zip(out.chunks_mut(PIECE)), |(((x, y), g), out)| {
            map_vjp(op, x, y, g, out, accumulate);
        });
    }
    let strip = strip::<T>(op, x.len());
    if strip < x.len() {
        let reads = op.reads();
        for (k, out) in out.chunks_mut(strip).enumerate() {
            let start = k * strip;
            for (array, read) in [(x, reads.a), (y, reads.y), (g, true)] {
                if read {
                    ask(array, start + strip, strip);
                }
            }
            let [x, y, g] = [x, y, g].map(|array| &array[start..][..out.len()]);
            map_vjp(op, x, y, g, out, accumulate);
        }
        return;
    }
    if wraps(op, x) {
        let x: Vec<T> = x.iter().map(|x| x.wrapped()).collect();
        return map_vjp(op, &x, y, g, out, accumulate);
    }
    if let Some(p) = high_power(op) {
        return out.iter_mut().zip(x.iter().zip(g)).for_each(|(out, (x, g))| {
            store(out, *g * T::tuned_row(Tuned::Powi, p, *x).1, accumulate);
        });
    }
    match op {
        Map::Unary(op) => run(UnaryVjp { op, x, y, g, out, accumulate }),
        Map::Tuned(op, p) => run(TunedVjp { op, p, x, y, g, out, accumulate }),
    }
}

/// `y = f(x)` and `slope = f'(x)`, for an op that [joins](Map::joins) them.
pub fn map_joint<T: Functions>(op: Map, x: &[T], y: &mut [T], slope: &mut [T]) {
    assert!(x.len() == y.len() && x.len() == slope.len());
    if wraps(op, x) {
        let x: Vec<T> = x.iter().map(|x| x.wrapped()).collect();
        return map_joint(op, &x, y, slope);
    }
    match op {
        Map::Unary(op) => run(UnaryJoint { op, x, y, slope }),
        Map::Tuned(op, p) => run(TunedJoint { op, p, x, y, slope }),
    }
}

/// `y = f(a, b)`
pub fn zip_forward<T: Functions>(op: Binary, a: &[T], b: &[T], y: &mut [T]) {
    assert!(a.len() == y.len() && b.len() == y.len());
    if threads::pays(y.len()) {
        let read = a.chunks(PIECE).zip(b.chunks(PIECE));
        return threads::each(read.zip(y.chunks_mut(PIECE)), |((a, b), y)| zip_forward(op, a, b, y));
    }
    run(BinaryForward { op, a, b, y });
}

/// `out = g f'(a, b)`, or `out += g f'(a, b)`, with the partial to argument `k`.
pub fn zip_vjp<T: Functions>(
    op: Binary,
    k: usize,
    ab: [&[T]; 2],
    y: &[T],
    g: &[T],
    out: &mut [T],
    accumulate: bool,
) {
    let [a, b] = ab;
    assert!(a.len() == out.len() && b.len() == out.len() && y.len() == out.len() && g.len() == out.len());
    if threads::pays(out.len()) {
        let read = a.chunks(PIECE).zip(b.chunks(PIECE)).zip(y.chunks(PIECE).zip(g.chunks(PIECE)));
        return threads::each(read.zip(out.chunks_mut(PIECE)), |(((a, b), (y, g)), out)| {
            zip_vjp(op, k, [a, b], y, g, out, accumulate);
        });
    }
    run(BinaryVjp { op, k, a, b, y, g, out, accumulate });
}

struct UnaryForward<'a, T> {
    op: Unary,
    x: &'a [T],
    y: &'a mut [T],
}
struct TunedForward<'a, T> {
    op: Tuned,
    p: Params,
    x: &'a [T],
    y: &'a mut [T],
}
struct UnaryJoint<'a, T> {
    op: Unary,
    x: &'a [T],
    y: &'a mut [T],
    slope: &'a mut [T],
}
struct TunedJoint<'a, T> {
    op: Tuned,
    p: Params,
    x: &'a [T],
    y: &'a mut [T],
    slope: &'a mut [T],
}
struct BinaryForward<'a, T> {
    op: Binary,
    a: &'a [T],
    b: &'a [T],
    y: &'a mut [T],
}
struct UnaryVjp<'a, T> {
    op: Unary,
    x: &'a [T],
    y: &'a [T],
    g: &'a [T],
    out: &'a mut [T],
    accumulate: bool,
}
struct TunedVjp<'a, T> {
    op: Tuned,
    p: Params,
    x: &'a [T],
    y: &'a [T],
    g: &'a [T],
    out: &'a mut [T],
    accumulate: bool,
}
struct BinaryVjp<'a, T> {
    op: Binary,
    k: usize,
    a: &'a [T],
    b: &'a [T],
    y: &'a [T],
    g: &'a [T],
    out: &'a mut [T],
    accumulate: bool,
}

#[inline(always)]
fn store<T: Functions>(out: &mut T, value: T, accumulate: bool) {
    *out = if accumulate { *out + value } else { value };
}

macro_rules! unary_kernels {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        impl<T: Functions> Kernel for UnaryForward<'_, T> {
            type Output = ();
            #[inline(always)]
            fn call<const MODE: u8>(self) {
                match self.op { $(Unary::$Variant => for (y, x) in self.y.iter_mut().zip(self.x) {
                    *y = UnaryWords::$name(Number::<T, MODE>(*x)).0;
                })* }
            }
        }
    };
}
macro_rules! tuned_kernels {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        impl<T: Functions> Kernel for TunedForward<'_, T> {
            type Output = ();
            #[inline(always)]
            fn call<const MODE: u8>(self) {
                match self.op { $(Tuned::$Variant => for (y, x) in self.y.iter_mut().zip(self.x) {
                    *y = Number::<T, MODE>(*x).$name(self.p).0;
                })* }
            }
        }
    };
}
macro_rules! binary_kernels {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$a:ident, $b:ident, $y:ident| $primal:expr, $pa:expr, $pb:expr, $da:expr, $db:expr;)*) => {
        impl<T: Functions> Kernel for BinaryForward<'_, T> {
            type Output = ();
            #[inline(always)]
            fn call<const MODE: u8>(self) {
                match self.op { $(Binary::$Variant => for ((y, a), b) in self.y.iter_mut().zip(self.a).zip(self.b) {
                    let ($a, $b) = (Number::<T, MODE>(*a), Number::<T, MODE>(*b));
                    *y = $primal.0;
                })* }
            }
        }
        impl<T: Functions> Kernel for BinaryVjp<'_, T> {
            type Output = ();
            #[inline(always)]
            #[allow(unused_variables)]
            fn call<const MODE: u8>(self) {
                let arguments = self.a.iter().zip(self.b).zip(self.y.iter().zip(self.g));
                match (self.op, self.k) { $(
                    (Binary::$Variant, 0) => for (out, ((a, b), (y, g))) in self.out.iter_mut().zip(arguments) {
                        let ($a, $b, $y) = (Number::<T, MODE>(*a), Number::<T, MODE>(*b), Number::<T, MODE>(*y));
                        let partial: Number<T, MODE> = $pa;
                        store(out, *g * partial.0, self.accumulate);
                    },
                    (Binary::$Variant, _) => for (out, ((a, b), (y, g))) in self.out.iter_mut().zip(arguments) {
                        let ($a, $b, $y) = (Number::<T, MODE>(*a), Number::<T, MODE>(*b), Number::<T, MODE>(*y));
                        let partial: Number<T, MODE> = $pb;
                        store(out, *g * partial.0, self.accumulate);
                    },
                )* }
            }
        }
    };
}
macro_rules! unary_vjps {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        impl<T: Functions> Kernel for UnaryVjp<'_, T> {
            type Output = ();
            #[inline(always)]
            #[allow(unused_variables)]
            fn call<const MODE: u8>(self) {
                let arguments = self.x.iter().zip(self.y).zip(self.g);
                match self.op { $(Unary::$Variant => for (out, ((x, y), g)) in self.out.iter_mut().zip(arguments) {
                    let ($x, $y) = (Number::<T, MODE>(*x), Number::<T, MODE>(*y));
                    let partial: Number<T, MODE> = $partial;
                    store(out, *g * partial.0, self.accumulate);
                })* }
            }
        }
    };
}
macro_rules! tuned_vjps {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        impl<T: Functions> Kernel for TunedVjp<'_, T> {
            type Output = ();
            #[inline(always)]
            #[allow(unused_variables)]
            fn call<const MODE: u8>(self) {
                let arguments = self.x.iter().zip(self.y).zip(self.g);
                match self.op { $(Tuned::$Variant => for (out, ((x, y), g)) in self.out.iter_mut().zip(arguments) {
                    let ($x, $y, $p) = (Number::<T, MODE>(*x), Number::<T, MODE>(*y), self.p);
                    let partial: Number<T, MODE> = $partial;
                    store(out, *g * partial.0, self.accumulate);
                })* }
            }
        }
    };
}
macro_rules! unary_joints {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        impl<T: Functions> Kernel for UnaryJoint<'_, T> {
            type Output = ();
            const FOR_BARE: bool = false;
            #[inline(always)]
            #[allow(unused_variables)]
            fn call<const MODE: u8>(self) {
                let results = self.y.iter_mut().zip(self.slope);
                match self.op { $(Unary::$Variant if const { unary_shares(Unary::$Variant) } => for ((y, slope), x) in results.zip(self.x) {
                    let $x = Number::<T, MODE>(*x);
                    let $y = UnaryWords::$name($x);
                    let partial: Number<T, MODE> = $partial;
                    (*y, *slope) = ($y.0, partial.0);
                })*
                    op => unreachable!("{} is computed apart from its partial", op.name()),
                }
            }
        }
    };
}
macro_rules! tuned_joints {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        impl<T: Functions> Kernel for TunedJoint<'_, T> {
            type Output = ();
            const FOR_BARE: bool = false;
            #[inline(always)]
            #[allow(unused_variables)]
            fn call<const MODE: u8>(self) {
                let results = self.y.iter_mut().zip(self.slope);
                match self.op { $(Tuned::$Variant if const { tuned_shares(Tuned::$Variant) } => for ((y, slope), x) in results.zip(self.x) {
                    let ($x, $p) = (Number::<T, MODE>(*x), self.p);
                    let $y = $x.$name($p);
                    let partial: Number<T, MODE> = $partial;
                    (*y, *slope) = ($y.0, partial.0);
                })*
                    op => unreachable!("{} is computed apart from its partial", op.name()),
                }
            }
        }
    };
}
unary_table!(unary_kernels);
unary_table!(unary_joints);
tuned_table!(tuned_joints);
unary_table!(unary_vjps);
tuned_table!(tuned_kernels);
tuned_table!(tuned_vjps);
binary_table!(binary_kernels);
