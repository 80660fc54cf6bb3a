//! Bad input: each is refused with op, every shape, the rule and the user's line, and the graph stays usable.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ndarray::{Array1, Array2, Array3, array};
use wengert::op::{Concat, Detach, MatMul, Max, Op, Sum};
use wengert::prelude::*;
use wengert::{ErrorKind, graph::Mark};

/// What `f` says as it panics.
fn panic_of(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("this should have been refused");
    payload.downcast_ref::<String>().cloned().expect("a message")
}

/// Holds a message equal to `start (at FILE:LINE)`.
fn says(message: &str, start: &str, line: u32) {
    assert_eq!(message, format!("{start} (at {}:{line})", file!()));
}

/// Records and differentiates something new.
fn still_works(g: &mut Graph) {
    let x = g.leaf(array![1.0, -2.0, 3.0]);
    let y = g.sum(x * x + 3.0 * x);
    g.backward(y).unwrap();
    assert_eq!(g.item(y), 20.0);
    assert_eq!(g.grad(x).unwrap(), array![5.0, -1.0, 9.0].into_dyn());
}

/// `call` panics with just this message, from this line, and the graph goes on.
macro_rules! panics {
    ($g:ident, $call:expr, $start:expr) => {{
        let message = panic_of(|| {
            let _ = $call;
        });
        says(&message, $start, line!());
        still_works(&mut $g);
    }};
}

/// `call` is an `Err` of this kind and with just this message, records nothing, and the graph goes on.
macro_rules! errs {
    ($g:ident, $call:expr, $kind:ident, $start:expr) => {{
        let nodes = $g.node_count();
        let error = $call.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::$kind);
        says(&error.to_string(), $start, line!());
        assert_eq!(error.location().map(|at| at.line()), Some(line!()));
        assert_eq!($g.node_count(), nodes, "on an error the graph is as it was");
        still_works(&mut $g);
    }};
}

#[test]
#[rustfmt::skip]
fn shapes_that_do_not_broadcast() {
    let mut g = Graph::new();
    let (a, b, c) = (g.leaf(Array2::ones((2, 3))), g.leaf(Array1::ones(4)), g.leaf(Array2::ones((3, 2))));
    panics!(g, g.add(a, b), "add: [2, 3] x [4]: axis 1 has lengths 3 and 4, and neither is 1");
    panics!(g, g.eval(a * b), "mul: [2, 3] x [4]: axis 1 has lengths 3 and 4, and neither is 1");
    panics!(g, g.lt(a, b), "lt: [2, 3] x [4]: axis 1 has lengths 3 and 4, and neither is 1");
    panics!(g, g.mse_loss(a, c), "mse_loss: [2, 3] x [3, 2]: prediction and target must have the same shape");
    let m = g.mask(vec![true; 4]);
    panics!(g, g.where_(m, a, a), "where: [4] x [2, 3] x [2, 3]: axis 1 has lengths 4 and 3, and neither is 1");
    panics!(g, g.broadcast_to(a, &[2, 4]), "broadcast_to: [2, 3]: [2, 3] does not broadcast to [2, 4]");
    panics!(g, g.concat(&[a, c], 0), "concat: [2, 3] x [3, 2]: axis 1 has lengths 3 and 2, and only axis 0 may differ");
    errs!(g, g.try_apply(&Concat { axis: 0 }.into(), &[a, c]), ShapeMismatch, "concat: [2, 3] x [3, 2]: axis 1 has lengths 3 and 2, and only axis 0 may differ");
    errs!(g, g.try_apply(&Op::Binary(wengert::op::Binary::Sub), &[a, b]), ShapeMismatch, "sub: [2, 3] x [4]: axis 1 has lengths 3 and 4, and neither is 1");
}

#[test]
#[rustfmt::skip]
fn wrong_inner_dimensions() {
    let mut g = Graph::new();
    let (a, b) = (g.leaf(Array2::ones((8, 3))), g.leaf(Array2::ones((4, 5))));
    let (batch, v) = (g.leaf(Array3::ones((2, 3, 4))), g.leaf(Array1::ones(7)));
    panics!(g, g.matmul(a, b), "matmul: [8, 3] x [4, 5]: inner dimensions 3 and 4 differ");
    panics!(g, g.matmul(batch, v), "matmul: [2, 3, 4] x [7]: inner dimensions 4 and 7 differ");
    errs!(g, g.try_apply(&MatMul {}.into(), &[a, b]), ShapeMismatch, "matmul: [8, 3] x [4, 5]: inner dimensions 3 and 4 differ");
    errs!(g, g.try_apply(&MatMul {}.into(), &[a]), InvalidAttribute, "matmul: [8, 3]: takes 2 arguments, 1 given");
    errs!(g, g.inverse(a), NotSquare, "inverse: [8, 3]: needs square matrices; the last two axes have lengths 8 and 3");
}

#[test]
#[rustfmt::skip]
fn axes_out_of_range() {
    let mut g = Graph::new();
    let x = g.leaf(Array2::ones((2, 3)));
    panics!(g, g.sum_axes(x, &[2]), "sum: [2, 3]: axis 2 is out of range for 2 axes");
    panics!(g, g.softmax(x, -3), "softmax: [2, 3]: axis -3 is out of range for 2 axes");
    panics!(g, g.transpose(x, 0, isize::MAX), "transpose: [2, 3]: axis 9223372036854775807 is out of range for 2 axes");
    panics!(g, g.sum_axes(x, &[0, -2]), "sum: [2, 3]: axis 0 is named twice");
    let op: Op = Sum { axes: Some([isize::MIN][..].into()), keepdims: false }.into();
    errs!(g, g.try_apply(&op, &[x]), AxisOutOfRange, "sum: [2, 3]: axis -9223372036854775808 is out of range for 2 axes");
}

#[test]
#[rustfmt::skip]
fn foreign_handles() {
    let (mut g, other) = (Graph::new(), Graph::<f64>::new());
    let (x, theirs) = (g.leaf(2.0), other.leaf(3.0));
    panics!(g, g.sin(theirs), "sin: the handle %0 belongs to another graph");
    panics!(g, g.eval(x * theirs), "mul: []: the handle %0 belongs to another graph");
    panics!(g, g.value(theirs), "value: the handle %0 belongs to another graph");
    panics!(g, g.grad(theirs), "grad: the handle %0 belongs to another graph");
    panics!(g, g.shape(theirs), "shape: the handle %0 belongs to another graph");
    panics!(g, g.retain_grad(theirs), "retain_grad: the handle %0 belongs to another graph");
    panics!(g, g.rewind(other.mark()), "rewind: the mark belongs to another graph");
    errs!(g, g.backward(theirs), ForeignHandle, "backward: the handle %0 belongs to another graph");
    errs!(g, g.gradient(x, &[theirs]), ForeignHandle, "gradient: the handle %0 belongs to another graph");
    errs!(g, g.set_value(theirs, 1.0), ForeignHandle, "set_value: the handle %0 belongs to another graph");
    errs!(g, g.update(&[theirs], |_, _| ()), ForeignHandle, "update: the handle %0 belongs to another graph");
    errs!(g, g.try_apply(&Detach {}.into(), &[theirs]), ForeignHandle, "detach: the handle %0 belongs to another graph");
}

#[test]
fn rewound_handles() {
    let mut g = Graph::new();
    let x = g.leaf(2.0);
    let mark = g.mark();
    let (mut stale, mut rewound): (Vec<Var>, u32) = (Vec::new(), 0);
    for _ in 0..1000 {
        stale.push(g.sin(x));
        g.rewind(mark);
        rewound = line!() - 1;
    }
    // The ids are in use again, by nodes of other stamps.
    let fresh = g.cos(x);
    let because = format!("the handle %1 is stale: the rewind at {}:{rewound} ended it", file!());
    for &v in stale.iter().step_by(97).chain(stale.last()) {
        assert_ne!(v, fresh);
        panics!(g, g.exp(v), &format!("exp: {because}"));
        panics!(g, g.item(v), &format!("value: {because}"));
        errs!(g, g.backward(v), StaleHandle, &format!("backward: {because}"));
        errs!(g, g.update(&[v], |_, _| ()), StaleHandle, &format!("update: {because}"));
    }
    assert_eq!(g.item(fresh), 2f64.cos());
}

#[test]
fn stale_marks() {
    let mut g = Graph::new();
    let x = g.leaf(2.0);
    let early: Mark = g.mark();
    g.sin(x);
    let late = g.mark();
    g.rewind(early);
    let rewound = line!() - 1;
    let because = format!("rewind: the mark is stale: the rewind at {}:{rewound} ended it", file!());
    panics!(g, g.rewind(late), &because);
    g.sin(x);
    panics!(g, g.rewind(late), &because);
    g.rewind(early);
    assert_eq!(g.node_count(), 1);
    still_works(&mut g);
}

#[test]
#[rustfmt::skip]
fn roots_without_gradient() {
    let mut g = Graph::new();
    let (x, c) = (g.leaf(array![1.0, 2.0]), g.constant(1.0));
    let y = g.eval(x * x);
    let scalar = "the root must be a scalar (exactly one element); give a cotangent with backward_with, or reduce it first";
    errs!(g, g.backward(y), NonScalarBackward, &format!("backward: [2]: {scalar}"));
    let error = g.gradient(y, &[x]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NonScalarBackward);
    errs!(g, g.backward_with(y, array![1.0, 2.0, 3.0]), ShapeMismatch, "backward_with: [2]: the cotangent has shape [3], the root [2]");
    assert!(g.grad(x).is_none(), "a refused sweep leaves no gradient");

    let cut = g.no_grad(|g| g.sum(x));
    let here = format!("{}:{}", file!(), line!() - 1);
    errs!(g, g.backward(cut), NoGradientPath, &format!("backward: []: `sum` was recorded under no_grad at {here}, so no gradient passes"));
    let d = g.exp(c);
    errs!(g, g.backward(d), NoGradientPath, "backward: []: the result of `exp` depends on no differentiable leaf");
    // A formula, of arrays or of numbers, says of a flat op what the op says by itself.
    let n = g.leaf(1.5);
    let flat = [
        g.sum(g.mul(g.floor(x), 2.0)),
        g.sum(x.floor() * 2.0),
        g.mul(g.floor(n), 2.0),
        g.eval(n.floor() * 2.0),
        g.eval(n.floor() * 2.0 + n.sign()),
    ];
    for y in flat {
        assert_eq!(g.backward(y).unwrap_err().kind(), ErrorKind::NoGradientPath);
    }
    let beside = g.sum(x.floor() * x);
    g.backward(beside).unwrap();
    assert_eq!(g.grad(x).unwrap(), array![1.0, 2.0].into_dyn());
    let beside = g.eval(n.floor() * n * n);
    g.backward(beside).unwrap();
    assert_eq!(g.grad(n).unwrap().sum(), 3.0);
    g.zero_grad();
    let s = g.sum(x);
    errs!(g, g.gradient(s, &[c]), NoGradientPath, "gradient: []: gradients exist with respect to differentiable nodes only");
    g.backward_with(y, array![1.0, 10.0]).unwrap();
    assert_eq!(g.grad(x).unwrap(), array![2.0, 40.0].into_dyn());
}

/// A scope that panics inside `no_grad` leaves recording as it was.
#[test]
fn no_grad_ends_on_unwinding() {
    let mut g = Graph::new();
    let (a, b) = (g.leaf(Array1::ones(2)), g.leaf(Array1::ones(3)));
    panic_of(|| {
        g.no_grad(|g| g.add(a, b));
    });
    still_works(&mut g);
}

#[test]
#[rustfmt::skip]
fn empty_reductions() {
    let mut g = Graph::new();
    let x = g.leaf(Array2::ones((0, 3)));
    let rule = "nothing to reduce: it has no value over no elements";
    panics!(g, g.max(x), &format!("max: [0, 3]: {rule}"));
    panics!(g, g.min_axes(x, &[0]), &format!("min: [0, 3]: {rule}"));
    panics!(g, g.argmax(x), &format!("argmax: [0, 3]: {rule}"));
    errs!(g, g.try_apply(&Max::default().into(), &[x]), EmptyReduction, &format!("max: [0, 3]: {rule}"));
    let (sum, product) = (g.sum(x), g.prod(x));
    assert_eq!((g.item(sum), g.item(product)), (0.0, 1.0));
    let kept = g.max_axes(x, &[1]);
    assert_eq!(g.shape(kept)[..], [0]);
}

#[test]
#[rustfmt::skip]
fn values_of_the_wrong_length() {
    let mut g = Graph::new();
    let w = g.leaf(array![1.0, 2.0]);
    let (y, i) = (g.exp(w), g.indices([0, 1]));
    errs!(g, g.set_value(w, [1.0, 2.0, 3.0]), ShapeMismatch, "set_value: [2]: the new value has shape [3], the old one [2]");
    errs!(g, g.set_value(w, 1.0), ShapeMismatch, "set_value: [2]: the new value has shape [], the old one [2]");
    errs!(g, g.set_value(y, [1.0, 2.0]), InvalidAttribute, "set_value: [2]: only the value of a leaf or constant can be set; `exp` computes its own");
    let error = g.set_value(i, [1.0, 2.0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DtypeMismatch);
    assert_eq!(g.value(w), array![1.0, 2.0].into_dyn());
    // Nothing was modified: the sweep still runs.
    g.backward_with(y, [1.0, 1.0]).unwrap();
}

#[test]
#[rustfmt::skip]
fn a_modified_value() {
    let mut g = Graph::new();
    let w = g.leaf(3.0);
    let y = g.square(w);
    g.set_value(w, 4.0).unwrap();
    let error = g.backward(y).unwrap_err();
    let at = format!("(at {}:{})", file!(), line!() - 1);
    let message = error.to_string();
    assert_eq!(error.kind(), ErrorKind::ModifiedValue);
    assert!(message.starts_with("backward: []: ") && message.ends_with(&at), "{message}");
    assert!(message.contains(&format!("{}:{}", file!(), line!() - 6)), "{message}");
    assert!(g.grad(w).is_none());
    still_works(&mut g);
}

#[test]
#[rustfmt::skip]
fn updates_without_gradient_change_nothing() {
    let mut g = Graph::new();
    let (w, b, c) = (g.leaf(3.0), g.leaf(5.0), g.constant(1.0));
    let y = g.eval(w * w);
    g.backward(y).unwrap();
    let none = "the parameter has no gradient: no backward has reached it since zero_grad";
    errs!(g, g.update(&[w, b], |w, dw| *w -= &dw), MissingGradient, &format!("update: []: {none}"));
    errs!(g, g.update(&[w, c], |w, dw| *w -= &dw), InvalidAttribute, "update: []: only leaves are parameters; this is the result of `constant`");
    errs!(g, g.update(&[w, y], |w, dw| *w -= &dw), InvalidAttribute, "update: []: only leaves are parameters; this is the result of `mul`");
    assert_eq!((g.item(w), g.item(b)), (3.0, 5.0));
    g.zero_grad();
    errs!(g, g.update(&[w], |w, dw| *w -= &dw), MissingGradient, &format!("update: []: {none}"));
    assert_eq!(g.item(w), 3.0);
}

#[test]
#[rustfmt::skip]
fn gradients_of_intermediates() {
    let mut g = Graph::new();
    let x = g.leaf(array![1.0, 2.0]);
    let y = g.exp(x);
    let z = g.sum(y);
    g.backward(z).unwrap();
    panics!(g, g.grad(y), "grad: [2]: the gradient of an intermediate is kept only under retain_grad, called before backward");
    g.retain_grad(y);
    g.backward(z).unwrap();
    assert_eq!(g.grad(y).unwrap(), array![1.0, 1.0].into_dyn());
    panics!(g, g.item(y), "item: [2]: an item is the value of exactly one element, not of 2");
}

/// In a formula it is the op inside of it that is named, with its own shapes.
#[test]
#[rustfmt::skip]
fn formulas_name_the_failing_op() {
    let mut g = Graph::new();
    let (a, b, s) = (g.leaf(Array2::ones((2, 3))), g.leaf(Array1::ones(4)), g.leaf(1.0));
    panics!(g, g.eval((a * s).sin() + (b * 2.0).exp()), "add: [2, 3] x [4]: axis 1 has lengths 3 and 4, and neither is 1");
    panics!(g, g.eval(((a - b) * s).tanh() + s), "sub: [2, 3] x [4]: axis 1 has lengths 3 and 4, and neither is 1");
    panics!(g, g.sum((a * s) / b.exp()), "div: [2, 3] x [4]: axis 1 has lengths 3 and 4, and neither is 1");
    panics!(g, g.mean(a.maximum(b) + 1.0), "maximum: [2, 3] x [4]: axis 1 has lengths 3 and 4, and neither is 1");
    panics!(g, g.matmul(a * s, a + s), "matmul: [2, 3] x [2, 3]: inner dimensions 3 and 2 differ");
    let i = g.indices([0, 1]);
    let theirs = Graph::<f64>::new().leaf(array![1.0]);
    panics!(g, g.eval((i * s).sin() + a), "mul: [2] x []: argument 0 must be real numbers, not i64 indices");
    panics!(g, g.sum(a * s + theirs.exp()), "exp: the handle %0 belongs to another graph");
}

/// No NaN that a user may have is taken for a cotangent that has not arrived.
#[test]
fn a_nan_of_any_bits_is_a_nan() {
    for bits in
        [f64::NAN.to_bits(), <f64 as wengert::Real>::ABSENT.to_bits(), u64::MAX, 0x7ff0_0000_0000_0001]
    {
        let nan = f64::from_bits(bits);
        let mut g = Graph::new();
        let (x, w) = (g.leaf(nan), g.leaf(3.0));
        for y in [g.mul(x, w), g.eval(x * w + w), g.eval((x * w).sin() * 2.0)] {
            g.zero_grad();
            g.backward(y).unwrap();
            assert!(g.grad(w).unwrap().iter().all(|w_bar| w_bar.is_nan()), "{bits:x}");
        }
        let y = g.exp(w);
        g.zero_grad();
        g.backward_with(y, nan).unwrap();
        assert!(g.grad(w).unwrap().iter().all(|w_bar| w_bar.is_nan()), "{bits:x}");
    }
}
