//! Section 3: the graph of 2 (xy + x²), computed by the engine and by hand, and drawn; then a matrix product.

use ndarray::array;
use wengert::prelude::*;

use super::basics::gradient;
use super::{Lab, Outcome};
use crate::graph_picture::{ComputationGraph, Edge, Node, Role};

pub(super) fn run(lab: &mut Lab) -> Outcome {
    two_times_sum(lab)?;
    matrix_product(lab)
}

/// The variables of c = 2 (xy + x²), each recorded by itself so that each has a gradient to look at.
struct Steps {
    x: Var,
    y: Var,
    a: Var,
    s: Var,
    b: Var,
    c: Var,
}

fn two_times_sum(lab: &mut Lab) -> Outcome {
    let report = &mut lab.report;
    report.step("a = x·y,  s = x²,  b = a + s,  c = 2b  at  x = 2, y = 3");
    report.code(
        "let a = g.eval(x * y);\nlet s = g.eval(x.powi(2));\nlet b = g.eval(a + s);\nlet c = g.eval(2 * b);\n\
         g.retain_grad(&[a, s, b, c]);   // leaves keep their gradients anyway\ng.backward(c)?;",
    );

    let mut g = Graph::new();
    let x = g.leaf(array![2.0]);
    let y = g.leaf(array![3.0]);
    let a = g.eval(x * y);
    let s = g.eval(x.powi(2));
    let b = g.eval(a + s);
    let c = g.eval(2 * b);
    for v in [a, s, b, c] {
        g.retain_grad(v);
    }
    g.backward(c)?;
    let steps = Steps { x, y, a, s, b, c };

    report.check("a", g.value(a), "/cells/2(xy + x^2) at (2,3)/a");
    report.check("b", g.value(b), "/cells/2(xy + x^2) at (2,3)/b");
    report.check("c", g.value(c), "/cells/2(xy + x^2) at (2,3)/c");
    report.check("dc/dx", gradient(&g, x), "/cells/2(xy + x^2) at (2,3)/dx");
    report.check("dc/dy", gradient(&g, y), "/cells/2(xy + x^2) at (2,3)/dy");

    report.step("the tape, as print!(\"{g}\") shows it");
    report.code(&g.to_string());

    by_hand(lab, &g, &steps);
    draw(lab, &g, &steps)
}

/// The same backward pass with pencil and paper, from c back to x and y.
fn by_hand(lab: &mut Lab, g: &Graph, steps: &Steps) {
    let report = &mut lab.report;
    report.step("the same by hand, from c back to x and y");
    report.say("Backward is the chain rule from the end: what reaches a node, times the node's partials, reaches its arguments.");
    let (x, y) = (2.0, 3.0);
    let dc = 1.0;
    let db = dc * 2.0;
    let (da, ds) = (db * 1.0, db * 1.0);
    let dx = da * y + ds * 2.0 * x;
    let dy = da * x;

    report.heads("engine", "by hand");
    let mut row = |label: &str, variable: Var, hand: f64| {
        report.check_against(label, gradient(g, variable), vec![hand]);
    };
    row("dc/dc = 1", steps.c, dc);
    row("dc/db = 1·2", steps.b, db);
    row("dc/da = 2·1", steps.a, da);
    row("dc/ds = 2·1", steps.s, ds);
    row("dc/dx = 2·y + 2·2x", steps.x, dx);
    row("dc/dy = 2·x", steps.y, dy);
}

fn draw(lab: &mut Lab, g: &Graph, steps: &Steps) -> Outcome {
    let Some(path) = lab.place("3-computation-graph.svg")? else { return Ok(()) };
    let graph = picture(g, steps)?;
    let picture = graph.picture();
    picture.write_svg(&path)?;
    picture.write_png(&path.with_extension("png"))?;
    std::fs::write(path.with_extension("dot"), g.to_dot(Some(steps.c)))?;
    lab.report.gap();
    for extension in ["svg", "png", "dot"] {
        lab.say_where(path.with_extension(extension));
    }
    Ok(())
}

/// The picture of the tape: values, gradients, parents and partials come from the engine, names from the reader.
fn picture(g: &Graph, steps: &Steps) -> Result<ComputationGraph, wengert::Error> {
    let cards = [
        (steps.x, "x", "", Role::Leaf),
        (steps.y, "y", "", Role::Leaf),
        (steps.a, "a", "x · y", Role::Step),
        (steps.s, "s", "x²", Role::Step),
        (steps.b, "b", "a + s", Role::Step),
        (steps.c, "c", "2 b", Role::Result),
    ];
    let mut graph = ComputationGraph {
        title: format!("c = 2 (x·y + x²)  at  x = {}, y = {}", g.item(steps.x), g.item(steps.y)),
        ..ComputationGraph::default()
    };
    for (to, &(variable, name, formula, role)) in cards.iter().enumerate() {
        graph.nodes.push(Node {
            name: name.into(),
            formula: formula.into(),
            value: g.item(variable).to_string(),
            gradient: g.grad(variable).map(|gradient| gradient[0].to_string()),
            role,
        });
        for (from, &(argument, argument_name, ..)) in cards.iter().enumerate() {
            if g.parents(variable).contains(&argument) {
                let partial = g.item(g.gradient(variable, &[argument])?[0]);
                graph
                    .edges
                    .push(Edge { from, to, partial: format!("∂{name}/∂{argument_name} = {partial}") });
            }
        }
    }
    Ok(graph)
}

fn matrix_product(lab: &mut Lab) -> Outcome {
    let report = &mut lab.report;
    report.step("loss = Σ (A B)  with  A = [[1, 2], [3, 4]],  B = [[5, 6], [7, 8]]");
    report.code("let c = g.matmul(a, b);\nlet loss = g.sum(c);\ng.backward(loss)?;");

    let mut g = Graph::new();
    let a = g.leaf(array![[1.0, 2.0], [3.0, 4.0]]);
    let b = g.leaf(array![[5.0, 6.0], [7.0, 8.0]]);
    let c = g.matmul(a, b);
    let loss = g.sum(c);
    g.backward(loss)?;
    report.check("C = A B", g.value(c), "/cells/sum(A @ B)/C");
    report.check("loss", g.item(loss), "/cells/sum(A @ B)/loss");
    report.check("dloss/dA = 1 Bᵀ", gradient(&g, a), "/cells/sum(A @ B)/dA");
    report.check("dloss/dB = Aᵀ 1", gradient(&g, b), "/cells/sum(A @ B)/dB");
    Ok(())
}
