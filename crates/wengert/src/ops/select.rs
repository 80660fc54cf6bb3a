//! Comparisons, functions of masks, selection by a mask, and the cut `detach`.

use ndarray::{ArrayViewD, ArrayViewMutD, Zip};

use crate::error::Refusal;
use crate::kernel::functions::Functions;
use crate::kernel::operand::Operand;
use crate::kernel::select;
use crate::memory::Plain;
use crate::op::{Compare, Detach, Logical, LogicalKind, Where};
use crate::rule::*;
use crate::shape::{Layout, Shape, broadcast};
use crate::term::Term;

/// `x` broadcast to `shape`, as kernels walk it.
fn operand<'a, A: Plain>(x: &'a ArrayViewD<'_, A>, shape: &[usize]) -> Operand<'a, A> {
    Operand::viewed(&x.broadcast(shape).expect("the shape is that of all arguments broadcast"))
}

impl Rule for Compare {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real; 2])?;
        Ok(Specs::from_elem(Spec::mask(broadcast(shapes)?), 1))
    }

    fn is_differentiable(&self) -> bool {
        false
    }
}

impl<T: Functions> Kernels<T> for Compare {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (a, b, mut y) = (x[0].real(), x[1].real(), y[0].mask());
        let (a, b) = (operand(&a, y.shape()), operand(&b, y.shape()));
        select::compare(*self, &a, &b, y.as_slice_mut().expect("results lie row-major without gaps"));
        Ok(())
    }
}

impl Rule for Logical {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let count = if self.kind == LogicalKind::Not { 1 } else { 2 };
        let shapes = expect(args, &[Dtype::Mask; 2][..count])?;
        Ok(Specs::from_elem(Spec::mask(broadcast(shapes)?), 1))
    }

    fn is_differentiable(&self) -> bool {
        false
    }
}

impl<T: Functions> Kernels<T> for Logical {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        self.of(x[0].mask(), x.get(1).map(Input::mask), y[0].mask());
        Ok(())
    }
}

impl Logical {
    fn of(&self, a: ArrayViewD<'_, bool>, b: Option<ArrayViewD<'_, bool>>, mut y: ArrayViewMutD<'_, bool>) {
        let holds: fn(bool, bool) -> bool = match self.kind {
            LogicalKind::And => |a, b| a && b,
            LogicalKind::Or => |a, b| a || b,
            LogicalKind::Xor | LogicalKind::Not => |a, b| a != b,
        };
        let zip = Zip::from(&mut y).and_broadcast(&a);
        match b {
            Some(b) => zip.and_broadcast(&b).for_each(|y, &a, &b| *y = holds(a, b)),
            None => zip.for_each(|y, &a| *y = holds(a, true)),
        }
    }
}

impl Rule for Where {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one(broadcast(expect(args, &[Dtype::Mask, Dtype::Real, Dtype::Real])?)?)
    }

    /// The cotangent on the side taken, an exact 0 on the other.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (mask, y_bar) = (call.args[0], y_bar[0].expect("one result"));
        let zero = y_bar.full(&[], 0.0);
        let side = |k: usize, yes, no| call.needs[k].then(|| mask.apply(Where {}, &[yes, no]));
        [None, side(1, y_bar, zero), side(2, zero, y_bar)].into_iter().collect()
    }

    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let mask = call.args[0];
        let zero = mask.full(&[], 0.0);
        let side = |k: usize| x_dot[k].unwrap_or(zero);
        Some(Terms::from_elem(mask.apply(Where {}, &[side(1), side(2)]), 1))
    }
}

impl<T: Functions> Kernels<T> for Where {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let (mask, yes, no) = (x[0].mask(), x[1].real(), x[2].real());
        let shape = Shape::from_slice(y[0].real().shape());
        let (yes, no) = (operand(&yes, &shape), operand(&no, &shape));
        select::select(&operand(&mask, &shape), &yes, &no, y[0].slice());
        Ok(())
    }

    fn vjp_kernel(&self, Adjoint { x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let Some(y_bar) = &y_bar[0] else { return false };
        let broadcast = |bar: &Cotangent<'_, T>| bar.array.shape() != y_bar.shape();
        if x_bar.iter().flatten().any(broadcast) {
            return false;
        }
        let mask = x[0].mask();
        let mask = operand(&mask, y_bar.shape());
        for (k, bar) in x_bar.iter_mut().enumerate() {
            if let Some(bar) = bar {
                let accumulate = bar.accumulate;
                select::pass(&mask, k == 1, y_bar.slice(), bar.slice(), accumulate);
            }
        }
        true
    }
}

impl Rule for Detach {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        match args {
            [x] => Ok(Specs::from_elem(Spec { shape: Shape::from_slice(x.shape), dtype: x.dtype }, 1)),
            _ => expect(args, &[Dtype::Real]).map(|_| unreachable!("one argument was refused")),
        }
    }

    fn view(&self, x: &Layout) -> Option<(Layout, isize)> {
        Some((x.clone(), 0))
    }

    fn is_differentiable(&self) -> bool {
        false
    }
}

impl<T: Functions> Kernels<T> for Detach {}
