//! Hand tracking: 22 bones in a tree, a skin that they carry, and points that the skin should pass through.

use ndarray::{Array1, Array2, Array3, ArrayD, Axis, array, s, stack};
use wengert::prelude::*;

use super::{Draw, Objective};

const BONES: usize = 22;
const FINGERS: usize = 5;

/// A hand, the points it should go through, and the pose it has.
pub struct Hand {
    /// Each bone in its parent's frame, and what takes a point at rest into the bone's frame.
    relative: Vec<Array2<f64>>,
    inverse: Vec<Array2<f64>>,
    /// `[v, 4]`: points at rest, with a 1.
    rest: Array2<f64>,
    /// `[v, 22]`
    weights: Array2<f64>,
    /// The vertices that each point is set against: itself, or those of its triangle.
    targets: Vec<Vec<usize>>,
    points: Array2<f64>,
    theta: Array1<f64>,
    /// Where in its triangle a point lies, where there are triangles.
    within: Option<Array2<f64>>,
}

/// `[Rz(c) Ry(b) Rx(a), t; 0 1]`
fn frame([a, b, c]: [f64; 3], t: [f64; 3]) -> Array2<f64> {
    let ry = array![[b.cos(), 0.0, b.sin()], [0.0, 1.0, 0.0], [-b.sin(), 0.0, b.cos()]];
    let (rz, rx) = (about_z(c.sin_cos()), about_x(a.sin_cos()));
    affine(rz.slice(s![..3, ..3]).dot(&ry).dot(&rx.slice(s![..3, ..3])), t)
}

fn affine(rotation: Array2<f64>, t: [f64; 3]) -> Array2<f64> {
    let mut frame = Array2::eye(4);
    frame.slice_mut(s![..3, ..3]).assign(&rotation);
    (0..3).for_each(|k| frame[[k, 3]] = t[k]);
    frame
}

/// The rotation about the first axis, from the angle's sine and cosine.
fn about_x((s, c): (f64, f64)) -> Array2<f64> {
    array![[1.0, 0.0, 0.0, 0.0], [0.0, c, -s, 0.0], [0.0, s, c, 0.0], [0.0, 0.0, 0.0, 1.0]]
}

fn about_z((s, c): (f64, f64)) -> Array2<f64> {
    array![[c, -s, 0.0, 0.0], [s, c, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
}

/// The inverse of a rotation with a translation.
fn back(frame: &Array2<f64>) -> Array2<f64> {
    let turned = frame.slice(s![..3, ..3]).reversed_axes().to_owned();
    let t: Array1<f64> = turned.dot(&frame.slice(s![..3, 3]));
    affine(turned, [-t[0], -t[1], -t[2]])
}

fn parent(bone: usize) -> Option<usize> {
    match bone {
        0 => None,
        21 => Some(0),
        _ if bone % 4 == 1 => Some(0),
        _ => Some(bone - 1),
    }
}

/// The frames of bones from those in their parents' frames.
fn frames(relative: &[Array2<f64>]) -> Vec<Array2<f64>> {
    let mut all: Vec<Array2<f64>> = Vec::with_capacity(BONES);
    for (bone, own) in relative.iter().enumerate() {
        all.push(parent(bone).map_or_else(|| own.clone(), |p| all[p].dot(own)));
    }
    all
}

impl Hand {
    pub fn new(vertices: usize, triangles: usize, points: usize, complicated: bool, seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let relative: Vec<_> = (0..BONES)
            .map(|_| {
                let angles = std::array::from_fn(|_| 0.8 * draw.centred());
                frame(angles, std::array::from_fn(|_| draw.centred()))
            })
            .collect();
        let inverse = frames(&relative).iter().map(back).collect();
        let mut rest = Array2::ones((vertices, 4));
        let mut weights = Array2::zeros((vertices, BONES));
        for v in 0..vertices {
            (0..3).for_each(|k| rest[[v, k]] = 2.0 * draw.centred());
            let (first, second, share) = (draw.below(BONES), draw.below(BONES), draw.uniform());
            weights[[v, first]] += share;
            weights[[v, second]] += 1.0 - share;
        }
        let triangles: Vec<Vec<usize>> =
            (0..triangles).map(|_| (0..3).map(|q| draw.below(vertices / 3) * 3 + q).collect()).collect();
        let targets = (0..points)
            .map(|_| match complicated {
                true => triangles[draw.below(triangles.len())].clone(),
                false => vec![draw.below(vertices)],
            })
            .collect();
        let shape = (points, 3);
        let points = Array2::from_shape_simple_fn(shape, || 2.0 * draw.centred());
        let theta = Array1::from_shape_simple_fn(26, || 1.2 * draw.centred());
        let within = complicated.then(|| Array2::from_shape_simple_fn((shape.0, 2), || 0.5 * draw.uniform()));
        Hand { relative, inverse, rest, weights, targets, points, theta, within }
    }

    /// The matrices of one bone of each finger, transposed: they act on rows.
    fn of_fingers(&self, matrix: impl Fn(usize) -> Array2<f64>) -> Array3<f64> {
        let each: Vec<_> = (0..FINGERS).map(|f| matrix(4 * f).reversed_axes()).collect();
        let views: Vec<_> = each.iter().map(|m| m.view()).collect();
        stack(Axis(0), &views).expect("matrices of one shape")
    }

    /// `[v, 4 n]`: what the rows of `n` bones' matrices are multiplied by to move the skin.
    fn carried(&self, bones: impl Iterator<Item = usize>) -> Array2<f64> {
        let bones: Vec<usize> = bones.collect();
        let (v, n) = (self.rest.nrows(), 4 * bones.len());
        Array2::from_shape_fn((v, n), |(v, j)| self.weights[[v, bones[j / 4]]] * self.rest[[v, j % 4]])
    }
}

impl Objective for Hand {
    fn parameters(&self) -> Vec<ArrayD<f64>> {
        let theta = std::iter::once(self.theta.clone().into_dyn());
        theta.chain(self.within.clone().map(|u| u.into_dyn())).collect()
    }

    /// Everything that no angle moves is multiplied out here: three bones of each finger are left.
    fn constants(&self, g: &Graph) -> Vec<Var> {
        let moving = |k: usize| (0..FINGERS).map(move |f| 4 * f + k);
        let fixed = || [0, 21].into_iter().chain(moving(1));
        let (mut base, mut cosine, mut sine) =
            (Array3::zeros((4, 4, 4)), Array3::zeros((4, 4, 4)), Array3::zeros((4, 4, 4)));
        for (k, about) in [about_x, about_z, about_x, about_x].into_iter().enumerate() {
            let rest = about((0.0, 0.0)).reversed_axes();
            base.index_axis_mut(Axis(0), k).assign(&rest);
            cosine.index_axis_mut(Axis(0), k).assign(&(about((0.0, 1.0)).reversed_axes() - &rest));
            sine.index_axis_mut(Axis(0), k).assign(&(about((1.0, 0.0)).reversed_axes() - &rest));
        }
        let absolute = frames(&self.relative);
        let rows: Vec<_> = fixed().map(|b| absolute[b].dot(&self.inverse[b]).reversed_axes()).collect();
        let rows: Vec<_> = rows.iter().map(|m| m.slice(s![.., ..3])).collect();
        let still = self.carried(fixed()).dot(&ndarray::concatenate(Axis(0), &rows).expect("rows of three"));
        let inverse: Vec<_> = (2..5).map(|k| self.of_fingers(|b| self.inverse[b + k].clone())).collect();
        let inverse: Vec<_> = inverse.iter().map(|m| m.view()).collect();
        let skew = array![
            [0.0, 0.0, 0.0],
            [0.0, 0.0, 1.0],
            [0.0, -1.0, 0.0],
            [0.0, 0.0, -1.0],
            [0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [-1.0, 0.0, 0.0],
            [0.0, 0.0, 0.0]
        ];
        let corners = self.targets[0].len();
        let targets: Vec<i64> =
            (0..corners).flat_map(|k| self.targets.iter().map(move |t| t[k] as i64)).collect();
        vec![
            g.constant(base),
            g.constant(cosine),
            g.constant(sine),
            g.constant(self.of_fingers(|b| absolute[b + 1].dot(&self.relative[b + 2]))),
            g.constant(self.of_fingers(|b| self.relative[b + 3].clone())),
            g.constant(self.of_fingers(|b| self.relative[b + 4].clone())),
            g.constant(ndarray::concatenate(Axis(0), &inverse).expect("matrices of one shape")),
            g.constant(self.carried((2..5).flat_map(moving))),
            g.constant(still),
            g.constant(skew),
            g.constant(Array2::<f64>::eye(3)),
            g.indices(targets),
            g.constant(&self.points),
        ]
    }

    /// Matrices act on rows, and the fingers go side by side.
    fn record(&self, g: &Graph, params: &[Var], data: &[Var]) -> Var {
        let &[
            base,
            cosine,
            sine,
            frame2,
            frame3,
            frame4,
            inverse,
            carried,
            still,
            skew,
            eye,
            targets,
            points,
        ] = data
        else {
            unreachable!("as recorded")
        };
        let theta = params[0];
        let angles = g.reshape(g.slice(theta, 0, 6..), &[FINGERS as isize, 4, 1, 1]);
        let turns = g.eval(base + angles.cos() * cosine + angles.sin() * sine);
        let turn = |k: isize| g.select(turns, 1, k);
        let second = g.matmul(g.matmul(turn(0), turn(1)), frame2);
        let third = g.matmul(g.matmul(turn(2), frame3), second);
        let fourth = g.matmul(g.matmul(turn(3), frame4), third);
        let moved = g.matmul(inverse, g.concat(&[second, third, fourth], 0));
        let moved = g.slice(g.reshape(moved, &[12 * FINGERS as isize, 4]), 1, ..3);
        let skin = g.matmul(carried, moved) + still;

        let axis = g.slice(theta, 0, ..3);
        let angle2 = g.sum(axis.square());
        let small = g.lt(angle2, 1e-8);
        let angle2 = g.where_(small, 1.0, angle2);
        let angle = g.sqrt(angle2);
        let one = g.where_(small, 0.0, angle.sin() / angle);
        let two = g.where_(small, 0.0, (1.0 - angle.cos()) / angle2);
        let skew = g.reshape(g.matmul(skew, axis), &[3, 3]);
        let rotation = eye + one * skew + two * g.matmul(skew, skew);
        let vertices = g.matmul(skin, rotation) + g.slice(theta, 0, 3..6);

        let corners = g.index_select(vertices, targets, 0);
        let reached = match params {
            [_, within] => {
                let corners = g.reshape(corners, &[3, -1, 3]);
                let corner = |k: isize| g.select(corners, 0, k);
                let (u, v) = (g.slice(*within, 1, ..1), g.slice(*within, 1, 1..));
                g.eval(u * corner(0) + v * corner(1) + (1.0 - u - v) * corner(2))
            }
            _ => corners,
        };
        g.eval(0.5 * g.sum((points - reached).square()))
    }

    fn plain(&self) -> f64 {
        let theta = &self.theta;
        let mut posed = self.relative.clone();
        for f in 0..FINGERS {
            let angle = |k: usize| theta[6 + 4 * f + k].sin_cos();
            let turns = [about_z(angle(1)).dot(&about_x(angle(0))), about_x(angle(2)), about_x(angle(3))];
            for (k, turn) in turns.iter().enumerate() {
                posed[4 * f + 2 + k] = posed[4 * f + 2 + k].dot(turn);
            }
        }
        let moved: Vec<_> = frames(&posed).iter().zip(&self.inverse).map(|(a, i)| a.dot(i)).collect();
        let angle = theta.slice(s![..3]).dot(&theta.slice(s![..3])).sqrt();
        let rotation =
            if angle < 1e-4 { Array2::eye(3) } else { about([theta[0], theta[1], theta[2]], angle) };
        let vertices: Vec<Array1<f64>> = (0..self.rest.nrows())
            .map(|v| {
                let mut skin = Array1::zeros(4);
                for (bone, m) in moved.iter().enumerate().filter(|(b, _)| self.weights[[v, *b]] != 0.0) {
                    skin.scaled_add(self.weights[[v, bone]], &m.dot(&self.rest.row(v)));
                }
                rotation.dot(&skin.slice(s![..3])) + theta.slice(s![3..6])
            })
            .collect();
        let mut sum = 0.0;
        for (i, target) in self.targets.iter().enumerate() {
            let reached = match &self.within {
                Some(u) => {
                    let (u, v) = (u[[i, 0]], u[[i, 1]]);
                    let [a, b, c] = [0, 1, 2].map(|k| &vertices[target[k]]);
                    u * a + v * b + (1.0 - u - v) * c
                }
                None => vertices[target[0]].clone(),
            };
            sum += (&self.points.row(i) - &reached).mapv(|r| r * r).sum();
        }
        0.5 * sum
    }
}

/// The rotation by `angle` about an axis of that length.
fn about(axis: [f64; 3], angle: f64) -> Array2<f64> {
    let [x, y, z] = axis.map(|v| v / angle);
    let cross = array![[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]];
    Array2::eye(3) + angle.sin() * &cross + (1.0 - angle.cos()) * cross.dot(&cross)
}
