//! Bundle adjustment: how far the projections of points into cameras lie from where they were seen.

use ndarray::{Array1, Array2, ArrayD};
use wengert::prelude::*;

use super::{Draw, Objective};

/// `n` cameras of 11 numbers, `m` points, and `p` observations with a weight each; observation `i` is that of point
/// `i mod m` in camera `i mod n`.
pub struct Bundle {
    cameras: Array2<f64>,
    points: Array2<f64>,
    weights: Array1<f64>,
    seen: Array2<f64>,
}

impl Bundle {
    /// With `still` the first camera is not rotated.
    pub fn new(n: usize, m: usize, p: usize, still: bool, seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let mut cameras = Array2::from_shape_fn((n, 11), |(_, k)| match k {
            0..3 => 0.6 * draw.centred(),
            3..6 => draw.centred(),
            6 => 500.0 + 100.0 * draw.uniform(),
            7 => 320.0 + 10.0 * draw.uniform(),
            8 => 240.0 + 10.0 * draw.uniform(),
            9 => 0.1 * draw.centred(),
            _ => 0.01 * draw.centred(),
        });
        if still {
            (0..3).for_each(|k| cameras[[0, k]] = 0.0);
        }
        let points = Array2::from_shape_fn((m, 3), |(_, k)| match k {
            0..2 => 4.0 * draw.centred(),
            _ => 6.0 + 2.0 * draw.uniform(),
        });
        let weights = Array1::from_shape_simple_fn(p, || 0.5 + draw.uniform());
        let seen = Array2::from_shape_fn((p, 2), |(_, k)| [640.0, 480.0][k] * draw.uniform());
        Bundle { cameras, points, weights, seen }
    }

    fn indices(&self, bound: usize) -> Vec<i64> {
        (0..self.weights.len()).map(|i| (i % bound) as i64).collect()
    }
}

impl Objective for Bundle {
    fn parameters(&self) -> Vec<ArrayD<f64>> {
        vec![self.cameras.clone().into_dyn(), self.points.clone().into_dyn(), self.weights.clone().into_dyn()]
    }

    fn constants(&self, g: &Graph) -> Vec<Var> {
        vec![
            g.indices(self.indices(self.cameras.nrows())),
            g.indices(self.indices(self.points.nrows())),
            g.constant(self.seen.column(0)),
            g.constant(self.seen.column(1)),
        ]
    }

    /// Each of a camera's numbers is an array over the observations.
    fn record(&self, g: &Graph, params: &[Var], data: &[Var]) -> Var {
        let (&[cameras, points, w], &[camera, point, seen_x, seen_y]) = (params, data) else {
            unreachable!("as recorded")
        };
        let cameras = g.index_select(g.t(cameras), camera, 1);
        let points = g.index_select(g.t(points), point, 1);
        let c = |k: isize| g.select(cameras, 0, k);
        let from = |k: isize| g.eval(g.select(points, 0, k) - c(3 + k));
        let (r1, r2, r3) = (c(0), c(1), c(2));
        let (a1, a2, a3) = (from(0), from(1), from(2));

        // Where nothing turns the angle is 0, and a square root has no derivative there: it is kept away from both sides.
        let angle2 = g.eval(r1.square() + r2.square() + r3.square());
        let still = g.eq(angle2, 0.0);
        let angle2 = g.where_(still, 1.0, angle2);
        let angle = g.sqrt(angle2);
        let cosine = g.cos(angle);
        let sine = g.where_(still, 1.0, angle.sin() / angle);
        let versine = g.where_(still, 0.0, (1.0 - cosine) / angle2);
        let cosine = g.where_(still, 1.0, cosine);
        let along = g.eval((r1 * a1 + r2 * a2 + r3 * a3) * versine);
        let y1 = g.eval(a1 * cosine + (r2 * a3 - r3 * a2) * sine + r1 * along);
        let y2 = g.eval(a2 * cosine + (r3 * a1 - r1 * a3) * sine + r2 * along);
        let y3 = g.eval(a3 * cosine + (r1 * a2 - r2 * a1) * sine + r3 * along);

        let (u, v) = (g.eval(y1 / y3), g.eval(y2 / y3));
        let radius2 = g.eval(u.square() + v.square());
        let scale = g.eval((1.0 + radius2 * (c(9) + c(10) * radius2)) * c(6));
        let residuals =
            ((u * scale + c(7) - seen_x) * w).square() + ((v * scale + c(8) - seen_y) * w).square();
        let weights = (1.0 - w.square()).square();
        g.eval(0.5 * g.sum(residuals + weights))
    }

    fn plain(&self) -> f64 {
        let cameras: Vec<[f64; 11]> =
            self.cameras.rows().into_iter().map(|c| std::array::from_fn(|k| c[k])).collect();
        let points: Vec<[f64; 3]> =
            self.points.rows().into_iter().map(|x| std::array::from_fn(|k| x[k])).collect();
        let mut sum = 0.0;
        for (i, &w) in self.weights.iter().enumerate() {
            let [x, y] = residual(&cameras[i % cameras.len()], &points[i % points.len()], w);
            let (x, y) = (x - w * self.seen[[i, 0]], y - w * self.seen[[i, 1]]);
            sum += x * x + y * y + (1.0 - w * w).powi(2);
        }
        0.5 * sum
    }
}

/// The weighted projection of a point.
fn residual(camera: &[f64; 11], point: &[f64; 3], w: f64) -> [f64; 2] {
    let [r1, r2, r3, c1, c2, c3, f, x0, y0, k1, k2] = *camera;
    let (r, a) = ([r1, r2, r3], [point[0] - c1, point[1] - c2, point[2] - c3]);
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let cross = |a: [f64; 3], b: [f64; 3]| {
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    };
    let angle = dot(r, r).sqrt();
    let y: [f64; 3] = if angle == 0.0 {
        let turned = cross(r, a);
        std::array::from_fn(|k| a[k] + turned[k])
    } else {
        let axis = r.map(|v| v / angle);
        let (sine, cosine) = angle.sin_cos();
        let (turned, along) = (cross(axis, a), dot(axis, a) * (1.0 - cosine));
        std::array::from_fn(|k| a[k] * cosine + turned[k] * sine + axis[k] * along)
    };
    let (u, v) = (y[0] / y[2], y[1] / y[2]);
    let s = u * u + v * v;
    let scale = (1.0 + k1 * s + k2 * s * s) * f;
    [w * (u * scale + x0), w * (v * scale + y0)]
}
