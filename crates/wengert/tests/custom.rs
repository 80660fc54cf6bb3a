//! Ops of the user's own, checkpoints and gates: derivatives of every order, and what is refused.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use ndarray::{ArrayD, ArrayViewD, array};
use wengert::graph::custom::Custom;
use wengert::prelude::*;
use wengert::{ErrorKind, Result};

/// `exp(x) * w`, with a tangent rule that counts its calls.
struct ExpTimes(AtomicUsize);

impl Custom<f64> for ExpTimes {
    fn name(&self) -> &'static str {
        "exp_times"
    }
    fn forward(&self, x: &[ArrayViewD<'_, f64>]) -> Result<ArrayD<f64>, String> {
        Ok(x[0].mapv(f64::exp) * &x[1])
    }
    fn vjp(&self, g: &Graph, x: &[Var], y: Var, y_bar: Var) -> Result<Vec<Option<Var>>> {
        Ok(vec![Some(g.eval(y_bar * y)), Some(g.eval(y_bar * x[0].exp()))])
    }
    fn jvp(&self, g: &Graph, x: &[Var], y: Var, x_dot: &[Option<Var>]) -> Result<Option<Var>> {
        self.0.fetch_add(1, Relaxed);
        let zero = g.constant(0.0);
        let dot = |k: usize| x_dot[k].unwrap_or(zero);
        Ok(Some(g.eval(y * dot(0) + x[0].exp() * dot(1))))
    }
}

#[test]
fn a_custom_op_has_derivatives_of_every_order() -> Result<()> {
    let mut g = Graph::new();
    let x = g.leaf(array![0.3, -0.2]);
    let w = g.leaf(array![2.0, 5.0]);
    let op = Arc::new(ExpTimes(AtomicUsize::new(0)));
    let y = g.apply_custom(op.clone(), &[x, w])?;
    let same = g.eval(x.exp() * w);
    assert_eq!(g.value(y), g.value(same));
    let (mut ours, mut theirs) = (g.sum(y.square()), g.sum(same.square()));
    for order in 1..4 {
        let (a, b) = (g.gradient(ours, &[x, w])?, g.gradient(theirs, &[x, w])?);
        for (a, b) in a.iter().zip(&b) {
            let ratio = &g.value(*a) / &g.value(*b);
            assert!(ratio.iter().all(|r| (r - 1.0).abs() < 1e-13), "order {order}: {ratio}");
        }
        (ours, theirs) = (g.sum(a[0] * a[1]), g.sum(b[0] * b[1]));
    }
    let (x_dot, w_dot) = (g.constant(array![1.0, 2.0]), g.constant(array![0.5, -1.0]));
    let dots = [y, same].map(|v| g.tangent(v, &[(x, x_dot), (w, w_dot)]).unwrap());
    assert!((&g.value(dots[0]) - &g.value(dots[1])).iter().all(|d| d.abs() < 1e-14));
    assert_eq!(op.0.load(Relaxed), 1);
    g.backward_with(y, array![1.0, 1.0])?;
    assert_eq!(g.grad(x).unwrap(), g.value(y));
    Ok(())
}

#[test]
fn a_map_knows_its_first_derivative_only() -> Result<()> {
    let mut g = Graph::new();
    let x = g.leaf(array![[1.0, 2.0], [3.0, 4.0]]);
    let y = g.map(x, f64::ln, |x, _| 1.0 / x);
    let loss = g.sum(y * x);
    g.backward(loss)?;
    assert_eq!(g.grad(x).unwrap()[[1, 0]], 3f64.ln() + 1.0);
    let dy = g.gradient(loss, &[x])?[0];
    assert_eq!(g.value(dy), g.grad(x).unwrap());
    let x_dot = g.constant(array![[1.0, 0.0], [0.0, 0.0]]);
    let y_dot = g.tangent(y, &[(x, x_dot)])?;
    assert_eq!(g.value(y_dot)[[0, 0]], 1.0);
    let total = g.sum(dy);
    let nodes = g.grad(x).unwrap().to_owned();
    for error in [g.gradient(total, &[x]).map(|_| ()).unwrap_err(), g.backward(total).unwrap_err()] {
        assert_eq!((error.kind(), error.op()), (ErrorKind::CustomOp, "map"));
        let text = error.to_string();
        assert!(text.contains("second derivative is not known") && text.contains("custom.rs"), "{text}");
    }
    assert_eq!(g.grad(x).unwrap(), nodes, "a failed sweep leaves gradients alone");
    Ok(())
}

#[test]
fn a_map_takes_any_shape() -> Result<()> {
    let mut g = Graph::<f32>::default();
    for x in [ArrayD::zeros(vec![]), ArrayD::zeros(vec![0, 3]), ArrayD::ones(vec![2, 1, 3])] {
        let x = g.leaf(x);
        let y = g.map(x, |x| x * x, |x, _| 2.0 * x);
        let loss = g.sum(y);
        g.backward(loss)?;
        assert_eq!(g.grad(x).unwrap(), g.value(x).mapv(|x| 2.0 * x));
    }
    Ok(())
}

/// What backward says to a custom op with this vjp; gradients must stay as they were and the graph usable.
fn refused(
    vjp: impl Fn(&Graph, &[Var], Var, Var) -> Result<Vec<Option<Var>>> + Send + Sync + 'static,
) -> String {
    let mut g = Graph::new();
    let x = g.leaf(array![1.0, 2.0]);
    let before = g.sum(x * x);
    g.backward(before).unwrap();
    let line = line!() + 1;
    let y = g.custom("mine", &[x], |x| Ok(x[0].to_owned()), vjp).unwrap();
    let loss = g.sum(y * y + x);
    let nodes = g.node_count();
    let error = g.backward(loss).unwrap_err();
    assert_eq!((error.kind(), error.op(), g.node_count()), (ErrorKind::CustomOp, "mine", nodes));
    assert_eq!(error.location().unwrap().line(), line);
    assert_eq!(g.grad(x).unwrap(), array![2.0, 4.0].into_dyn());
    let error = g.gradient(loss, &[x]).unwrap_err();
    assert_eq!((error.kind(), error.op()), (ErrorKind::CustomOp, "mine"));
    g.backward(before).unwrap();
    assert_eq!(g.grad(x).unwrap(), array![4.0, 8.0].into_dyn());
    error.to_string()
}

#[test]
fn what_a_vjp_returns_is_checked() {
    let says = |text: String, what: &str| assert!(text.contains(what), "{text}");
    says(refused(|_, _, _, _| Ok(vec![])), "0 cotangents for 1 arguments");
    says(refused(|g, _, _, bar| Ok(vec![Some(g.sum(bar))])), "has shape [] where [2] is due");
    says(refused(|_, _, _, _| Err(wengert::Error::custom("no idea"))), "mine: [2]: no idea");
    says(refused(|g, _, _, bar| Ok(vec![Some(g.gt(bar, 0.0))])), "no array of real numbers");
    let other = Graph::new().leaf(array![1.0, 2.0]);
    says(refused(move |_, _, _, _| Ok(vec![Some(other)])), "belongs to another graph");
    says(refused(|g, _, _, _| g.gradient(g.constant(1.0), &[]).map(|_| vec![])), "its vjp failed: gradient");
}

#[test]
fn a_handle_kept_from_an_earlier_sweep_is_refused() {
    let mut g = Graph::new();
    let x = g.leaf(array![1.0, 2.0]);
    let kept: Mutex<Option<Var>> = Mutex::new(None);
    let vjp = move |g: &Graph, _: &[Var], _: Var, bar: Var| {
        let bar = g.eval(bar * 2);
        Ok(vec![Some(*kept.lock().unwrap().get_or_insert(bar))])
    };
    let y = g.custom("keeps", &[x], |x| Ok(x[0].to_owned()), vjp).unwrap();
    let loss = g.sum(y);
    g.backward(loss).unwrap();
    let error = g.backward(loss).unwrap_err();
    assert!(error.to_string().contains("recorded by a closure during a sweep"), "{error}");
    assert_eq!(g.grad(x).unwrap(), array![2.0, 2.0].into_dyn());
}

#[test]
fn a_mark_outlives_the_sweeps_of_custom_ops() {
    let mut g = Graph::new();
    let x = g.leaf(array![1.0, 2.0]);
    let y = g.custom("id", &[x], |x| Ok(x[0].to_owned()), |_, _, _, bar| Ok(vec![Some(bar)])).unwrap();
    let loss = g.sum(y);
    let start = g.mark();
    g.sum(x);
    g.rewind(start);
    let mark = g.mark();
    g.backward(loss).unwrap();
    let z = g.sum(x);
    assert_eq!(g.item(z), 3.0);
    g.rewind(mark);
}

#[test]
fn a_panic_in_a_closure_leaves_the_graph_usable() {
    let mut g = Graph::new();
    let x = g.leaf(array![1.0, 2.0]);
    let boom = |_: &[ArrayViewD<'_, f64>]| -> Result<ArrayD<f64>, String> { panic!("forward") };
    let forward = catch_unwind(AssertUnwindSafe(|| g.custom("boom", &[x], boom, |_, _, _, _| Ok(vec![]))));
    assert!(forward.is_err());
    let mid = g.eval(x * 3);
    g.retain_grad(mid);
    let y = g
        .custom(
            "boom",
            &[mid],
            |x| Ok(x[0].to_owned()),
            |g, x, _, _| Ok(vec![Some(g.eval(x[0] + g.leaf(array![1.0, 2.0, 3.0])))]),
        )
        .unwrap();
    let late = g.eval(y * 2);
    g.retain_grad(late);
    let (good, bad) = (g.sum(mid), g.sum(late));
    g.backward(good).unwrap();
    let nodes = g.node_count();
    assert!(catch_unwind(AssertUnwindSafe(|| g.backward(bad))).is_err());
    assert_eq!(g.node_count(), nodes);
    assert!(g.grad(late).is_none(), "a sweep that fails keeps nothing");
    assert_eq!(g.grad(x).unwrap(), array![3.0, 3.0].into_dyn());
    g.backward(good).unwrap();
    assert_eq!(g.grad(x).unwrap(), array![6.0, 6.0].into_dyn());
    let update = catch_unwind(AssertUnwindSafe(|| g.update(&[x], |_, _| panic!("update"))));
    assert!(update.is_err());
    assert_eq!(g.grad(x).unwrap(), array![6.0, 6.0].into_dyn());
}

#[test]
fn a_failing_forward_names_the_op() {
    let g = Graph::new();
    let x = g.leaf(array![-1.0]);
    let error = g.custom("root", &[x], |_| Err("is negative".into()), |_, _, _, _| Ok(vec![])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CustomOp);
    assert!(error.to_string().starts_with("root: [1]: is negative (at "), "{error}");
    assert_eq!(g.node_count(), 1);
}

/// A part with inputs that depend on each other, of several ops.
fn part(g: &Graph, x: &[Var]) -> Var {
    let h = g.eval(x[0].sin() * x[1] + x[0].square());
    g.eval(h.tanh() * x[0])
}

#[test]
fn a_checkpoint_is_exact_at_every_order() -> Result<()> {
    let mut g = Graph::new();
    let a = g.leaf(array![0.3, -0.8, 1.1]);
    let b = g.eval(a.exp() + 0.1);
    let unrelated = g.leaf(2.0);
    let plain = part(&g, &[a, b]);
    let nodes = g.node_count();
    let held = g.checkpoint(&[a, b], part)?;
    assert_eq!(g.node_count(), nodes + 1);
    assert_eq!(g.value(held), g.value(plain));
    let (plain, held) = (g.sum(plain * unrelated), g.sum(held * unrelated));
    let gradients = |g: &mut Graph, y| {
        g.zero_grad();
        g.backward(y).unwrap();
        [a, unrelated].map(|v| g.grad(v).unwrap().to_owned())
    };
    let nodes = g.node_count();
    assert_eq!(gradients(&mut g, plain), gradients(&mut g, held));
    assert_eq!(g.node_count(), nodes);
    let (mut one, mut two) = (plain, held);
    for order in 1..4 {
        (one, two) = (g.gradient(one, &[a])?[0], g.gradient(two, &[a])?[0]);
        let difference = &g.value(one) - &g.value(two);
        assert!(difference.iter().all(|d| d.abs() < 1e-12), "order {order}: {difference}");
        (one, two) = (g.sum(one.square()), g.sum(two.square()));
        let (one, two) = (gradients(&mut g, one), gradients(&mut g, two));
        assert!((&one[0] - &two[0]).iter().all(|d| d.abs() < 1e-11), "order {order}");
    }
    let a_dot = g.constant(array![1.0, -2.0, 0.5]);
    let dots = [plain, held].map(|y| g.tangent(y, &[(a, a_dot)]).unwrap());
    assert!((g.item(dots[0]) - g.item(dots[1])).abs() < 1e-13);
    Ok(())
}

#[test]
fn a_checkpoint_may_name_an_argument_twice() -> Result<()> {
    let mut g = Graph::new();
    let x = g.leaf(array![0.3, -0.8]);
    let y = g.checkpoint(&[x, x], |g, x| g.sum((x[0] * x[1]).exp()))?;
    g.backward(y)?;
    let recorded = g.gradient(y, &[x])?[0];
    let want = array![0.3f64, -0.8].mapv(|x| 2.0 * x * (x * x).exp()).into_dyn();
    assert!((&g.grad(x).unwrap() - &want).iter().all(|d| d.abs() < 1e-15));
    assert!((&g.value(recorded) - &want).iter().all(|d| d.abs() < 1e-15));
    Ok(())
}

#[test]
fn checkpoints_nest() -> Result<()> {
    let mut g = Graph::new();
    let a = g.leaf(array![0.3, -0.8]);
    let inner = |g: &Graph, x: &[Var]| g.eval(x[0].sin() * 2);
    let outer = move |g: &Graph, x: &[Var]| {
        let y = g.checkpoint(&[x[0]], inner).unwrap();
        let z = g.map(y, |y| y * y, |y, _| 2.0 * y);
        let seed = g.leaf(array![1.0, 1.0]);
        g.eval(z * x[0] * seed)
    };
    let y = g.checkpoint(&[a], outer)?;
    let y = g.checkpoint(&[y], |_, x| x[0])?;
    let loss = g.sum(y);
    for _ in 0..2 {
        g.zero_grad();
        g.backward(loss)?;
        for (k, x) in [0.3f64, -0.8].into_iter().enumerate() {
            let want = 4.0 * x.sin().powi(2) + x * 8.0 * x.sin() * x.cos();
            assert!((g.grad(a).unwrap()[k] - want).abs() < 1e-14);
        }
    }
    Ok(())
}

#[test]
fn a_checkpoint_that_cannot_be_exact_is_refused() -> Result<()> {
    let mut g = Graph::new();
    let (x, w) = (g.leaf(array![1.0, 2.0]), g.leaf(array![3.0, 4.0]));
    let error = g.checkpoint(&[x], move |g, x| g.eval(x[0] * w)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CustomOp);
    assert!(error.to_string().contains("it reads %1, the `leaf` of "), "{error}");
    let calls = AtomicUsize::new(0);
    let drifting = move |g: &Graph, x: &[Var]| g.eval(x[0] * calls.fetch_add(1, Relaxed) as f64);
    let y = g.checkpoint(&[x], drifting)?;
    let loss = g.sum(y);
    let error = g.backward(loss).unwrap_err();
    assert!(error.to_string().contains("recorded again it gave another value"), "{error}");
    assert!(g.grad(x).is_none());
    let inside: Arc<Mutex<Option<Var>>> = Arc::default();
    let slot = inside.clone();
    g.checkpoint(&[x], move |g, x| *slot.lock().unwrap().insert(g.sum(x[0])))?;
    let leaked = inside.lock().unwrap().unwrap();
    let error = g.try_apply(&wengert::op::Op::Unary(wengert::op::Unary::Sin), &[leaked]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StaleHandle);
    Ok(())
}

#[test]
fn gates_pass_values_and_choose_gradients() -> Result<()> {
    let mut g = Graph::new();
    let x = g.leaf(array![0.4, 1.6]);
    let y = g.straight_through(g.round(x), x.square());
    assert_eq!(g.value(y), array![0.0, 2.0].into_dyn());
    let loss = g.sum(y * g.scale_gradient(x, 3.0));
    g.backward(loss)?;
    let want = |x: f64| x.round() * 3.0 + x * 2.0 * x;
    assert!((g.grad(x).unwrap()[0] - want(0.4)).abs() < 1e-14);
    assert!((g.grad(x).unwrap()[1] - want(1.6)).abs() < 1e-14);
    let recorded = g.gradient(loss, &[x])?[0];
    assert_eq!(g.value(recorded), g.grad(x).unwrap());
    Ok(())
}

/// The root of `x + a tanh(x) = b`, element by element, by bisection.
fn bisection(p: &[ArrayViewD<'_, f64>]) -> Result<ArrayD<f64>, String> {
    let mut x = p[1].to_owned();
    for (x, &b) in x.iter_mut().zip(&p[1]) {
        let (mut lo, mut hi) = (-50.0, 50.0);
        for _ in 0..200 {
            *x = 0.5 * (lo + hi);
            let above = *x + p[0].sum() * x.tanh() > b;
            if above { hi = *x } else { lo = *x }
        }
    }
    Ok(x)
}

#[test]
fn implicit_solutions_have_derivatives_of_every_order() -> Result<()> {
    use wengert::check::check_function;
    let (a, b) = (array![1.3].sum(), array![[0.4, -2.0], [1.0, 3.0]]);
    let solve = |g: &Graph, p: &[Var]| {
        let p = [p[0], g.eval(p[1] * p[0])];
        g.implicit_solve(&p, bisection, |g, x, p| g.eval(x + p[0] * x.tanh() - p[1])).unwrap()
    };
    let check = check_function(|g, p| vec![solve(g, p)], &[&a, &b], 1e-3)?;
    assert!(check.holds(), "{check}");
    let g = Graph::new();
    let p = [g.leaf(a), g.leaf(b)];
    let y = g.sum(solve(&g, &p).exp());
    let third = g.gradient(g.gradient(g.gradient(y, &[p[0]])?[0], &[p[0]])?[0], &[p[0]])?[0];
    let second = |a: f64| {
        let g = Graph::new();
        let p = [g.leaf(a), g.leaf(array![[0.4, -2.0], [1.0, 3.0]])];
        let y = g.sum(solve(&g, &p).exp());
        let dy = g.gradient(y, &[p[0]]).unwrap()[0];
        g.item(g.gradient(dy, &[p[0]]).unwrap()[0])
    };
    let slope = (second(a + 1e-4) - second(a - 1e-4)) / 2e-4;
    assert!((g.item(third) - slope).abs() < 1e-5 * slope.abs().max(1.0), "{} {slope}", g.item(third));
    Ok(())
}

#[test]
fn an_implicit_solution_that_is_none_is_refused() -> Result<()> {
    let mut g = Graph::new();
    let a = g.leaf(2.0);
    let rough = |_: &[ArrayViewD<'_, f64>]| Ok(ArrayD::from_elem(vec![], 1.4));
    let x = g.implicit_solve(&[a], rough, |g, x, p| g.eval(x * x - p[0]))?;
    let error = g.backward(x).unwrap_err();
    assert!(error.to_string().contains("no root: Newton's method would move it by 1.4"), "{error}");
    let x = g.implicit_solve(&[a], rough, |g, x, p| g.stack(&[x, p[0]], 0))?;
    let error = g.backward(x).unwrap_err();
    assert!(error.to_string().contains("2 elements for 1 unknowns"), "{error}");
    let failing = |_: &[ArrayViewD<'_, f64>]| Err("50 steps were not enough".to_owned());
    let error = g.implicit_solve(&[a], failing, |_, x, _| x).unwrap_err();
    assert!(error.to_string().starts_with("implicit_solve: []: 50 steps were not enough"), "{error}");
    Ok(())
}
