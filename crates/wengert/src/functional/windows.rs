//! Sequences in windows.

use ndarray::ArrayD;

use crate::error::Result;
use crate::graph::{Engine, Graph};
use crate::var::Var;

/// Truncated back-propagation through time: gradients flow within a window of a sequence, and from one window to the next
/// goes the state's value alone.
///
/// For each window `step` records from the window and the state before it, and returns the window's loss and the state behind
/// it. The loss is swept, so that the leaves' gradients are added to as by any `backward`; what was recorded is forgotten,
/// so that memory is that of one window; then `after` sees the loss, and may update and clear gradients. Returns the
/// last state.
///
/// # Errors
/// As [`Graph::backward`], and what `after` returns. The windows before have had their effect, the graph is as it was.
///
/// # Examples
/// A running mean whose rate is learned, one window of two numbers at a time:
/// ```
/// use ndarray::arr0;
/// use wengert::functional::truncated_bptt;
/// use wengert::prelude::*;
/// let mut g = Graph::new();
/// let rate = g.leaf(0.5);
/// let sequence = [1.0, 2.0, 3.0, 4.0];
/// let mut losses = Vec::new();
/// let state = truncated_bptt(
///     &mut g,
///     sequence.chunks(2),
///     vec![arr0(0.0).into_dyn()],
///     |g, window, state| {
///         let (mut mean, mut loss) = (state[0], g.constant(0.0));
///         for &x in window {
///             loss = g.eval(loss + (x - mean).square());
///             mean = g.eval(mean + rate * (x - mean));
///         }
///         (loss, vec![mean])
///     },
///     |_, loss| Ok(losses.push(loss)),
/// )?;
/// assert_eq!(state[0], arr0(3.0625).into_dyn());
/// assert_eq!(losses, [1.0 + 2.25, 3.0625 + 3.515_625]);
/// // The mean behind a window's first number depends on the rate, that before it does not.
/// assert_eq!(g.grad(rate).unwrap().sum(), -2.0 * 1.5 * 1.0 - 2.0 * 1.875 * 1.75);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn truncated_bptt<T: Engine, W>(
    g: &mut Graph<T>,
    windows: impl IntoIterator<Item = W>,
    mut state: Vec<ArrayD<T>>,
    mut step: impl FnMut(&Graph<T>, W, &[Var]) -> (Var, Vec<Var>),
    mut after: impl FnMut(&mut Graph<T>, T) -> Result<()>,
) -> Result<Vec<ArrayD<T>>> {
    let base = g.mark();
    for window in windows {
        let mut before = Vec::with_capacity(state.len());
        for value in &state {
            before.push(g.constant(value));
        }
        let (loss, behind) = step(g, window, &before);
        state = behind.iter().map(|&v| g.value(v).to_owned()).collect();
        let swept = g.backward(loss);
        let loss = swept.map(|()| g.item(loss));
        g.rewind(base);
        after(g, loss?)?;
    }
    Ok(state)
}
