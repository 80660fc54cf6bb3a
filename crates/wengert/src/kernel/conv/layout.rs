//! Where a plane lies in the workspace, and which registers cover the results: what makes a convolution a sum of
//! shifted contiguous reads, without im2col.
//!
//! A plane is copied once, zero-padded, and (stride > 1) split into one sub-plane for each remainder of the padded
//! row and column by the stride. Then the operand of kernel tap `t` for the results `p, p + 1, ..` is the run that
//! starts at `offset(t) + p`, whatever stride, padding and dilation are.
//!
//! Invariants: the right margin of a row is the left margin of the next one (the run over a row's end meets zeros
//! either way), so a row takes `size + padding`, not `size + 2 * padding`; cells outside the copied data stay zero.

use crate::kernel::real::Real;

/// The place of one `[height, width]` plane in the workspace.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    /// Height and width of the source.
    pub size: [usize; 2],
    /// Sub-planes along each axis.
    pub stride: [usize; 2],
    /// Zero rows above and zero columns to the left.
    pub shift: [usize; 2],
    /// Rows of a sub-plane.
    pub rows: usize,
    /// Distance of two rows of a sub-plane.
    pub pitch: usize,
}

impl Layout {
    /// Elements that one plane takes.
    pub fn len(&self) -> usize {
        self.stride[0] * self.stride[1] * self.rows * self.pitch
    }

    /// Start of the run in which result `(0, 0)` reads the padded cell `(row, column)`.
    pub fn offset(&self, row: usize, column: usize) -> usize {
        let phase = (row % self.stride[0]) * self.stride[1] + column % self.stride[1];
        (phase * self.rows + row / self.stride[0]) * self.pitch + column / self.stride[1]
    }

    /// Copies a plane to its place; the margins are left as they are.
    #[inline(always)]
    pub fn place<T: Real>(&self, source: &[T], out: &mut [T]) {
        let [height, width] = self.size;
        let [top, left] = self.shift;
        if self.stride == [1, 1] && self.pitch == width && left == 0 {
            out[top * width..][..height * width].copy_from_slice(&source[..height * width]);
            return;
        }
        for i in 0..height {
            let row = &source[i * width..][..width];
            for phase in 0..self.stride[1].min(width) {
                // The first column of this row that falls into the sub-plane of column `left + phase`.
                let start = self.offset(i + top, phase + left);
                if self.stride[1] == 1 {
                    out[start..][..width].copy_from_slice(row);
                } else {
                    let run = row[phase..].iter().step_by(self.stride[1]);
                    out[start..].iter_mut().zip(run).for_each(|(out, &x)| *out = x);
                }
            }
        }
    }
}

/// A grid of results inside a plane of the output array.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Rows and columns of the grid.
    pub size: [usize; 2],
    /// Flat position of its first element.
    pub first: usize,
    /// Flat distance of neighbouring rows and columns.
    pub step: [usize; 2],
}

/// Registers that cover a grid of results: by rows, or flat over the gaps between them, whichever takes fewer.
#[derive(Clone, Copy, Debug)]
pub struct Cover {
    /// Registers for a grid.
    pub registers: usize,
    /// Registers for a row; 0 when flat.
    per_row: usize,
    lanes: usize,
    pitch: usize,
}

impl Cover {
    /// Covers `rows x columns` results whose rows lie `pitch` apart in the operand.
    pub fn new([rows, columns]: [usize; 2], pitch: usize, lanes: usize) -> Cover {
        let per_row = columns.div_ceil(lanes);
        let flat = ((rows.max(1) - 1) * pitch + columns).div_ceil(lanes);
        if rows * per_row < flat {
            return Cover { registers: rows * per_row, per_row, lanes, pitch };
        }
        let registers = if rows * columns == 0 { 0 } else { flat };
        Cover { registers, per_row: 0, lanes, pitch }
    }

    /// Where register `i` starts in the operand.
    #[inline(always)]
    pub fn start(&self, i: usize) -> usize {
        if self.per_row == 0 {
            return i * self.lanes;
        }
        i / self.per_row * self.pitch + i % self.per_row * self.lanes
    }

    /// Distance of two rows of results, laid out register after register.
    pub fn row_step(&self) -> usize {
        if self.per_row == 0 { self.pitch } else { self.per_row * self.lanes }
    }

    /// Elements in all registers.
    pub fn width(&self) -> usize {
        self.registers * self.lanes
    }
}

/// Copies the results of one plane from their registers to their places, or adds them there.
#[inline(always)]
pub fn emit<T: Real>(wide: &[T], row_step: usize, grid: &Grid, accumulate: bool, out: &mut [T]) {
    const CHUNK: usize = 16;
    let [rows, columns] = grid.size;
    // Fixed-size moves may run over a row's end where its neighbours touch, as long as both sides have the room.
    let touching = grid.step == [columns, 1] && rows > 1;
    let room = wide.len().saturating_sub(CHUNK);
    let exact = if touching { grid.first + rows * columns } else { 0 };
    for i in 0..rows {
        let source = &wide[i * row_step..];
        let start = grid.first + i * grid.step[0];
        if grid.step[1] > 1 {
            let places = out[start..].iter_mut().step_by(grid.step[1]);
            for (place, &x) in places.zip(&source[..columns]) {
                *place = if accumulate { *place + x } else { x };
            }
        } else if accumulate {
            let places = out[start..][..columns].iter_mut();
            places.zip(source).for_each(|(place, &x)| *place += x);
        } else if columns < 4 * CHUNK
            && start + columns.next_multiple_of(CHUNK) <= exact
            && i * row_step + columns <= room
        {
            // Fixed-size moves; what the last one writes too far is overwritten by the rows below.
            for j in (0..columns).step_by(CHUNK) {
                let chunk: &[T; CHUNK] = source[j..][..CHUNK].try_into().expect("a chunk");
                out[start + j..][..CHUNK].copy_from_slice(chunk);
            }
        } else {
            out[start..][..columns].copy_from_slice(&source[..columns]);
        }
    }
}
