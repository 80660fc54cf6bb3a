//! ADBench's objectives: `gmm_d10_K10_n1000` is a gradient, with `/objective` the objective alone, with `/plain` the
//! objective in plain numbers.
use super::common::Built;
use wengert::prelude::*;
use wengert_benches::adbench::instance;

pub fn build(workload: &str, dtype: &str) -> Option<Built> {
    let (name, mode) = workload.split_once('/').unwrap_or((workload, "gradient"));
    let (objective, _) = instance(name).filter(|_| dtype == "f64")?;
    let mut g = Graph::new();
    let data = objective.constants(&g);
    let params: Vec<Var> = objective.parameters().into_iter().map(|p| g.leaf(p)).collect();
    let base = g.mark();
    let loss = objective.record(&g, &params, &data);
    g.backward(loss).unwrap();
    let value = g.item(loss);
    let gradients = params.iter().map(|p| g.grad(*p).unwrap().iter().copied().collect()).collect();
    g.zero_grad();
    g.rewind(base);
    let step: Box<dyn FnMut() -> f64> = match mode {
        "plain" => Box::new(move || objective.plain()),
        "objective" => Box::new(move || {
            let value = g.no_grad(|g| g.item(objective.record(g, &params, &data)));
            g.rewind(base);
            value
        }),
        _ => Box::new(move || {
            let loss = objective.record(&g, &params, &data);
            g.backward(loss).unwrap();
            let value = g.item(loss);
            g.zero_grad();
            g.rewind(base);
            value
        }),
    };
    Some((value, gradients, step))
}
