//! How a convolution is cut into pieces for threads: by images, else by groups of channels, else by channels. Each piece's
//! results lie one behind the other.

use std::ops::Range;

/// Products that make a piece.
pub const PIECE: usize = 1 << 19;

/// Sizes of a piece: of more than one image it has all groups, of more than one group all channels.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub images: usize,
    pub groups: usize,
    /// Of each group.
    pub channels: usize,
}

/// What a piece covers.
#[derive(Clone, Debug)]
pub struct Part {
    pub images: Range<usize>,
    pub groups: Range<usize>,
    /// Of each group.
    pub channels: Range<usize>,
}

impl Part {
    /// Channels of an image, all groups of the part together.
    pub fn channels_each(&self) -> usize {
        self.groups.len() * self.channels.len()
    }
}

impl Cut {
    /// About as many `pieces` of `[images, groups, channels]`; channels are cut where a tile ends.
    pub fn new([images, groups, channels]: [usize; 3], pieces: usize, tallest: usize) -> Cut {
        let whole = Cut { images: images.div_ceil(pieces).max(1), groups, channels };
        if pieces <= images {
            return whole;
        }
        let each = pieces.div_ceil(images.max(1));
        if each <= groups {
            return Cut { groups: groups.div_ceil(each), ..whole };
        }
        let channels = channels.div_ceil(each.div_ceil(groups.max(1))).next_multiple_of(tallest);
        Cut { images: 1, groups: 1, channels }
    }

    /// The pieces of `out`, `[images, groups, channels, each]` elements of which none is zero.
    pub fn parts<T>(
        self,
        [groups, channels, each]: [usize; 3],
        out: &mut [T],
    ) -> impl Iterator<Item = (Part, &mut [T])> {
        let by_images = out.chunks_mut(self.images * groups * channels * each).enumerate();
        by_images.flat_map(move |(i, out)| {
            let images = from(i * self.images, out.len() / (groups * channels * each));
            let by_groups = out.chunks_mut(images.len() * self.groups * channels * each).enumerate();
            by_groups.flat_map(move |(g, out)| {
                let images = images.clone();
                let groups = from(g * self.groups, out.len() / (images.len() * channels * each));
                let width = images.len() * groups.len() * each;
                out.chunks_mut(width * self.channels.min(channels)).enumerate().map(move |(c, out)| {
                    let channels = from(c * self.channels, out.len() / width);
                    (Part { images: images.clone(), groups: groups.clone(), channels }, out)
                })
            })
        })
    }
}

fn from(start: usize, len: usize) -> Range<usize> {
    start..start + len
}
