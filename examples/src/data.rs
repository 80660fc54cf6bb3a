//! The lab's data: small tables of numbers, built into the program, or read from a folder with `--data`.
//!
//! A malformed table is refused with file, line, column and the rule it breaks; nothing is guessed or skipped.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use ndarray::{Array2, ArrayView2, s};

/// Where the files are read from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The copies inside the program, so that it runs from anywhere.
    BuiltIn,
    /// A folder that holds files of the same names.
    Folder(PathBuf),
}

/// One hundred points near a line.
#[derive(Debug, Clone)]
pub struct Regression {
    /// `[n, 1]`.
    pub x: Array2<f64>,
    /// `[n, 1]`.
    pub y: Array2<f64>,
}

/// Points of the plane, of class 1 outside of a circle and of class 0 inside, and the weights to start from.
#[derive(Debug, Clone)]
pub struct Circle {
    /// `[n, 2]`.
    pub points: Array2<f64>,
    /// `[n, 1]`, each 0 or 1.
    pub labels: Array2<f64>,
    /// `[2, hidden]`.
    pub w1: Array2<f64>,
    /// `[hidden, 1]`.
    pub w2: Array2<f64>,
}

impl Source {
    /// The text of `file`.
    pub fn text(&self, file: &str) -> Result<String, DataError> {
        match self {
            Source::BuiltIn => Ok(built_in(file)?.to_owned()),
            Source::Folder(folder) => {
                let path = folder.join(file);
                std::fs::read_to_string(&path)
                    .map_err(|e| DataError::new(&path.display().to_string(), e.to_string()))
            }
        }
    }

    /// Reads `regression.csv`, columns `x, y`.
    pub fn regression(&self) -> Result<Regression, DataError> {
        let table = self.table("regression.csv", Some(&["x", "y"]))?.values;
        let column = |i: usize| table.slice(s![.., i..i + 1]).to_owned();
        Ok(Regression { x: column(0), y: column(1) })
    }

    /// Reads `circle.csv`, columns `x0, x1, y`, and the initial weights `circle_w1.csv` and `circle_w2.csv`.
    pub fn circle(&self) -> Result<Circle, DataError> {
        let Table { values, line_of_row } = self.table("circle.csv", Some(&["x0", "x1", "y"]))?;
        let labels = values.slice(s![.., 2..3]).to_owned();
        if let Some(row) = labels.iter().position(|&label| label != 0.0 && label != 1.0) {
            let rule = format!("a class must be 0 or 1, not {}", labels[[row, 0]]);
            return Err(DataError::new("circle.csv", rule).at(line_of_row[row], Some(3)));
        }
        let w1 = self.table("circle_w1.csv", None)?.values;
        let w2 = self.table("circle_w2.csv", None)?.values;
        let hidden = w1.ncols();
        need_shape("circle_w1.csv", w1.view(), [2, hidden], "one row for each coordinate of a point")?;
        need_shape("circle_w2.csv", w2.view(), [hidden, 1], "one row for each column of circle_w1.csv")?;
        Ok(Circle { points: values.slice(s![.., ..2]).to_owned(), labels, w1, w2 })
    }

    fn table(&self, file: &str, header: Option<&[&str]>) -> Result<Table, DataError> {
        parse(file, &self.text(file)?, header)
    }
}

fn built_in(file: &str) -> Result<&'static str, DataError> {
    match file {
        "regression.csv" => Ok(include_str!("../data/regression.csv")),
        "circle.csv" => Ok(include_str!("../data/circle.csv")),
        "circle_w1.csv" => Ok(include_str!("../data/circle_w1.csv")),
        "circle_w2.csv" => Ok(include_str!("../data/circle_w2.csv")),
        "expected.json" => Ok(include_str!("../data/expected.json")),
        _ => Err(DataError::new(file, "no such file among those built in".into())),
    }
}

fn need_shape(
    file: &str,
    table: ArrayView2<'_, f64>,
    wanted: [usize; 2],
    why: &str,
) -> Result<(), DataError> {
    if table.shape() == wanted {
        return Ok(());
    }
    Err(DataError::new(file, format!("the table is {:?}, not {wanted:?}: {why}", table.shape())))
}

/// A table of finite numbers.
#[derive(Debug, Clone)]
struct Table {
    values: Array2<f64>,
    line_of_row: Vec<usize>,
}

/// Reads one row from each line that is not blank, numbers separated by commas, under `header` if one is given.
fn parse(file: &str, text: &str, header: Option<&[&str]>) -> Result<Table, DataError> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    if let Some(names) = header
        && let Some((index, first)) = lines.next()
    {
        check_header(first, names).map_err(|rule| DataError::new(file, rule).at(index + 1, None))?;
    }
    let mut columns = header.map(<[_]>::len);
    let (mut numbers, mut line_of_row) = (Vec::new(), Vec::new());
    for (index, line) in lines {
        let error = |rule, column| DataError::new(file, rule).at(index + 1, column);
        let found = line.split(',').count();
        let wanted = *columns.get_or_insert(found);
        if found != wanted {
            return Err(error(format!("{found} columns where {wanted} are expected"), None));
        }
        for (column, cell) in line.split(',').enumerate() {
            numbers.push(finite(cell.trim()).map_err(|rule| error(rule, Some(column + 1)))?);
        }
        line_of_row.push(index + 1);
    }
    match columns {
        Some(columns) if !line_of_row.is_empty() => {
            let shape = (line_of_row.len(), columns);
            let values = Array2::from_shape_vec(shape, numbers).expect("every row was counted");
            Ok(Table { values, line_of_row })
        }
        _ => Err(DataError::new(file, "no rows of numbers".into())),
    }
}

fn check_header(line: &str, names: &[&str]) -> Result<(), String> {
    if line.split(',').map(str::trim).eq(names.iter().copied()) {
        return Ok(());
    }
    Err(format!("the header must be \"{}\", not \"{line}\"", names.join(",")))
}

fn finite(cell: &str) -> Result<f64, String> {
    match cell.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(format!("\"{cell}\" is not finite")),
        Err(_) => Err(format!("\"{cell}\" is not a number")),
    }
}

/// A file that could not be read: which one, where in it, and the rule it breaks.
#[derive(Debug, Clone, PartialEq)]
pub struct DataError {
    file: String,
    line: Option<usize>,
    column: Option<usize>,
    rule: String,
}

impl DataError {
    /// `file` breaks `rule`.
    pub fn new(file: &str, rule: String) -> Self {
        Self { file: file.into(), line: None, column: None, rule }
    }

    /// The place in the file, both counted from 1.
    pub fn at(self, line: usize, column: Option<usize>) -> Self {
        Self { line: Some(line), column, ..self }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if let Some(line) = self.line {
            write!(f, "line {line}")?;
            if let Some(column) = self.column {
                write!(f, ", column {column}")?;
            }
            write!(f, ": ")?;
        }
        f.write_str(&self.rule)
    }
}

impl Error for DataError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        parse("t.csv", text, Some(&["x", "y"])).expect_err("malformed").to_string()
    }

    #[test]
    fn malformed_tables_are_refused_with_their_place_and_rule() {
        assert_eq!(refusal("a,y\n1,2\n"), "t.csv: line 1: the header must be \"x,y\", not \"a,y\"");
        assert_eq!(refusal("x,y\n1,2\n\n3\n"), "t.csv: line 4: 1 columns where 2 are expected");
        assert_eq!(refusal("x,y\n1,2,3\n"), "t.csv: line 2: 3 columns where 2 are expected");
        assert_eq!(refusal("x,y\n1,2\n3,four\n"), "t.csv: line 3, column 2: \"four\" is not a number");
        assert_eq!(refusal("x,y\n1,\n"), "t.csv: line 2, column 2: \"\" is not a number");
        assert_eq!(refusal("x,y\nnan,1\n"), "t.csv: line 2, column 1: \"nan\" is not finite");
        assert_eq!(refusal("x,y\n"), "t.csv: no rows of numbers");
        assert_eq!(refusal(""), "t.csv: no rows of numbers");
    }

    #[test]
    fn the_files_built_in_have_the_sizes_that_the_lab_speaks_of() {
        let line = Source::BuiltIn.regression().expect("well formed");
        assert_eq!((line.x.dim(), line.y.dim()), ((100, 1), (100, 1)));
        let circle = Source::BuiltIn.circle().expect("well formed");
        assert_eq!((circle.points.dim(), circle.labels.dim()), ((200, 2), (200, 1)));
        assert_eq!((circle.w1.dim(), circle.w2.dim()), ((2, 10), (10, 1)));
    }

    #[test]
    fn a_folder_is_read_and_its_mistakes_are_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = Source::Folder(folder.path().to_owned());
        let missing = source.regression().expect_err("no file yet").to_string();
        assert!(missing.contains("regression.csv"), "{missing}");
        std::fs::write(folder.path().join("circle.csv"), "x0,x1,y\n0,0,0\n\n1,1,2\n").expect("writable");
        let class = source.circle().expect_err("a class of 2").to_string();
        assert_eq!(class, "circle.csv: line 4, column 3: a class must be 0 or 1, not 2");
    }
}
