//! Random leaves and dropout: what is drawn, that a seed draws it again, and that a checkpoint replays it bit for bit.

use ndarray::{Array1, Array2, array};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use wengert::prelude::*;

fn seeded() -> SmallRng {
    SmallRng::seed_from_u64(20)
}

#[test]
fn leaves_of_a_shape() {
    let g = Graph::<f64>::new();
    assert_eq!(g.value(g.eye(2)), array![[1.0, 0.0], [0.0, 1.0]].into_dyn());
    assert_eq!(g.value(g.linspace(0.0, 1.0, 5)), array![0.0, 0.25, 0.5, 0.75, 1.0].into_dyn());
    assert_eq!(g.value(g.linspace(2.0, 1.0, 1)), array![2.0].into_dyn());
    assert_eq!(g.len(g.linspace(2.0, 1.0, 0)), 0);
    assert_eq!(g.value(g.linspace(0.0, 0.3, 4))[3], 0.3);
    assert_eq!(g.value(g.arange(5.0, 0.0, -2.0)), array![5.0, 3.0, 1.0].into_dyn());
    assert_eq!(g.value(g.ones(&[])), ndarray::arr0(1.0).into_dyn());
    assert!(g.is_differentiable(g.zeros(&[0, 3])));
}

#[test]
fn random_leaves_have_the_moments_of_their_laws() {
    let g = Graph::<f64>::new();
    let n = 100_001;
    let moment = |v: Var, p: i32| g.value(v).iter().map(|x| x.powi(p)).sum::<f64>() / n as f64;
    let uniform = g.rand(&[n], &mut seeded());
    assert!(g.value(uniform).iter().all(|x| (0.0..1.0).contains(x)));
    let normal = g.randn(&[n], &mut seeded());
    // Five standard errors at most.
    for (v, p, want, deviation) in [
        (uniform, 1, 0.5, 0.29),
        (uniform, 2, 1.0 / 3.0, 0.3),
        (normal, 1, 0.0, 1.0),
        (normal, 2, 1.0, 1.42),
        (normal, 3, 0.0, 3.9),
        (normal, 4, 3.0, 9.8),
    ] {
        assert!(
            (moment(v, p) - want).abs() < 5.0 * deviation / (n as f64).sqrt(),
            "moment {p}: {}",
            moment(v, p)
        );
    }
    let neighbours =
        g.value(normal).iter().zip(g.value(normal).iter().skip(1)).map(|(a, b)| a * b).sum::<f64>();
    assert!((neighbours / n as f64).abs() < 5.0 / (n as f64).sqrt());
    assert_eq!(g.value(g.randn(&[3, 2], &mut seeded())), g.value(g.randn(&[3, 2], &mut seeded())));
    let narrow = Graph::<f32>::default();
    assert!(narrow.value(narrow.rand(&[n], &mut seeded())).iter().all(|&x| (0.0..1.0).contains(&x)));
}

/// A generator that only draws its largest number.
struct Largest;

impl rand::TryRng for Largest {
    type Error = std::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::MAX)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::MAX)
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.fill(u8::MAX);
        Ok(())
    }
}

#[test]
fn the_largest_draw_is_below_one_and_finite() {
    let (g, narrow) = (Graph::<f64>::new(), Graph::<f32>::default());
    assert!(g.value(g.rand(&[1], &mut Largest))[0] < 1.0);
    assert!(narrow.value(narrow.rand(&[1], &mut Largest))[0] < 1.0);
    assert!(g.value(g.randn(&[2], &mut Largest)).iter().all(|x| x.is_finite()));
}

#[test]
fn dropout_keeps_the_mean_and_cuts_what_it_drops() {
    let mut g = Graph::new();
    let x = g.leaf(Array1::from_elem(40_000, 2.0));
    let y = g.dropout(x, 0.2, &mut seeded());
    let kept = g.value(y).iter().filter(|&&y| y != 0.0).count() as f64 / 40_000.0;
    assert!((kept - 0.8).abs() < 5.0 * 0.4 / 200.0, "{kept}");
    assert!(g.value(y).iter().all(|&y| y == 0.0 || y == 2.5));
    let slope = g.gradient(g.sum(y * y), &[x]).unwrap()[0];
    assert_eq!(g.value(slope), g.value(y).mapv(|y| 2.5 * y));
    let curvature = g.gradient(g.sum(slope), &[x]).unwrap()[0];
    assert_eq!(g.value(curvature), g.value(y).mapv(|y| 1.25 * y));
    let all = g.dropout(x, 0.0, &mut seeded());
    assert_eq!(g.value(all), g.value(x));
    let none = g.dropout(x, 1.0, &mut seeded());
    let total = g.sum(none);
    g.backward(total).unwrap();
    assert!(g.value(none).iter().chain(g.grad(x).unwrap()).all(|&x| x == 0.0));
}

fn part(g: &Graph, x: Var, w: Var, rng: &mut impl Rng) -> Var {
    let hidden = g.dropout(g.matmul(x, w).tanh(), 0.4, rng);
    g.sum(g.dropout(hidden * hidden, 0.3, rng))
}

#[test]
fn a_checkpoint_replays_dropout_bit_for_bit() {
    let values = Array2::from_shape_fn((6, 5), |(i, j)| ((i * 5 + j) as f64).sin());
    let run = |checkpointed: bool| {
        let mut g = Graph::new();
        let (x, w) = (g.leaf(&values), g.leaf(values.t().to_owned()));
        let y = match checkpointed {
            true => g.checkpoint(&[x, w], |g, x| part(g, x[0], x[1], &mut seeded())).unwrap(),
            false => part(&g, x, w, &mut seeded()),
        };
        g.backward(y).unwrap();
        let recorded = g.gradient(y, &[x]).unwrap()[0];
        let second = g.gradient(g.sum(recorded * recorded), &[w]).unwrap()[0];
        let bits = |a: ndarray::ArrayViewD<'_, f64>| a.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        (g.item(y).to_bits(), bits(g.grad(x).unwrap()), bits(g.grad(w).unwrap()), bits(g.value(second)))
    };
    assert_eq!(run(true), run(false));
}

/// A generator that moves on from recording to recording would give another mask: that is noticed.
#[test]
fn a_generator_outside_of_the_checkpoint_is_noticed() {
    let mut g = Graph::new();
    let x = g.leaf(Array1::from_shape_fn(50, |k| (k as f64).sin()));
    let rng = std::sync::Mutex::new(seeded());
    let y = g.checkpoint(&[x], move |g, x| g.sum(g.dropout(x[0], 0.5, &mut *rng.lock().unwrap()))).unwrap();
    assert_eq!(g.backward(y).unwrap_err().kind(), wengert::ErrorKind::CustomOp);
}
