//! Anything made of numbers, seen alike: lengths, elements, a short text.

use ndarray::{ArrayBase, Data, Dimension};

/// A number, a list, or an array of any rank.
pub trait Figures {
    /// The length of each axis.
    fn lengths(&self) -> Vec<usize>;
    /// All elements in row-major order.
    fn flat(&self) -> Vec<f64>;
}

impl Figures for f64 {
    fn lengths(&self) -> Vec<usize> {
        Vec::new()
    }

    fn flat(&self) -> Vec<f64> {
        vec![*self]
    }
}

impl Figures for Vec<f64> {
    fn lengths(&self) -> Vec<usize> {
        vec![self.len()]
    }

    fn flat(&self) -> Vec<f64> {
        self.clone()
    }
}

impl<S: Data<Elem = f64>, D: Dimension> Figures for ArrayBase<S, D> {
    fn lengths(&self) -> Vec<usize> {
        self.shape().to_vec()
    }

    fn flat(&self) -> Vec<f64> {
        self.iter().copied().collect()
    }
}

impl<F: Figures> Figures for &F {
    fn lengths(&self) -> Vec<usize> {
        (**self).lengths()
    }

    fn flat(&self) -> Vec<f64> {
        (**self).flat()
    }
}

/// A text of at most about thirty characters.
pub(super) fn short(figures: &impl Figures) -> String {
    let (lengths, flat) = (figures.lengths(), figures.flat());
    let whole = match *lengths.as_slice() {
        [] => number(flat[0]),
        [_] => list(&flat),
        [_, columns] if columns > 0 => {
            let rows: Vec<_> = flat.chunks(columns).map(list).collect();
            format!("[{}]", rows.join(", "))
        }
        _ => format!("{lengths:?}"),
    };
    match (whole.chars().count() <= 30, flat.as_slice()) {
        (true, _) | (_, []) => whole,
        (_, [only]) => number(*only),
        (_, [first, .., last]) if lengths.len() == 1 => format!("{first:.8} … {last:.8}"),
        (_, [first, ..]) => format!("{lengths:?}: {first:.8} …"),
    }
}

fn list(numbers: &[f64]) -> String {
    let texts: Vec<_> = numbers.iter().map(|&x| number(x)).collect();
    format!("[{}]", texts.join(", "))
}

/// Whole numbers as they are, others with some ten digits.
pub(super) fn number(x: f64) -> String {
    match x.abs() {
        size if size == size.round() && size < 1e15 => format!("{x}"),
        size if (1e-4..1e9).contains(&size) => {
            let text = format!("{x:.11}");
            text.trim_end_matches('0').to_owned()
        }
        _ => format!("{x:.9e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn texts_are_short_and_exact_where_they_can_be() {
        assert_eq!(short(&6.0), "6");
        assert_eq!(short(&0.0), "0");
        assert_eq!(short(&vec![2.0, 4.5]), "[2, 4.5]");
        assert_eq!(short(&array![[19.0, 22.0], [43.0, 50.0]]), "[[19, 22], [43, 50]]");
        assert_eq!(short(&2.9344633275595635), "2.93446332756");
        assert_eq!(short(&1e-9), "1.000000000e-9");
        assert_eq!(short(&f64::NAN), "NaN");
        assert_eq!(short(&vec![0.5; 200]), "0.50000000 … 0.50000000");
        assert_eq!(short(&ndarray::Array2::from_elem((2, 10), 0.25)), "[2, 10]: 0.25000000 …");
    }
}
