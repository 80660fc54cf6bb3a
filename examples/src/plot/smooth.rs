//! Supersampling: pictures are drawn at twice their size and averaged down.
//!
//! The renderer turns text by picking the nearest pixel, which leaves ragged letters along a vertical axis;
//! averaging mends that, and every other edge with it.

use std::io::Cursor;

use png::{BitDepth, ColorType, Compression, Decoder, Encoder};

/// Samples along each side of a pixel.
pub(super) const SAMPLES: usize = 2;

/// Averages blocks of `SAMPLES` x `SAMPLES` pixels of an opaque PNG; the result is an RGB PNG.
pub(super) fn reduce(fine: &[u8]) -> Result<Vec<u8>, String> {
    let mut reader = Decoder::new(Cursor::new(fine)).read_info().map_err(|e| e.to_string())?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or("picture too large")?];
    let frame = reader.next_frame(&mut pixels).map_err(|e| e.to_string())?;
    let channels = frame.color_type.samples();
    if frame.bit_depth != BitDepth::Eight || channels < 3 {
        return Err(format!("cannot average pixels of type {:?}", frame.color_type));
    }
    let (width, height) = (frame.width as usize / SAMPLES, frame.height as usize / SAMPLES);
    let mut coarse = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let sample = |i: usize| {
                    let (row, column) = (y * SAMPLES + i / SAMPLES, x * SAMPLES + i % SAMPLES);
                    usize::from(pixels[row * frame.line_size + column * channels + channel])
                };
                let sum: usize = (0..SAMPLES * SAMPLES).map(sample).sum();
                coarse.push(((sum + SAMPLES * SAMPLES / 2) / (SAMPLES * SAMPLES)) as u8);
            }
        }
    }
    encode(width, height, &coarse).map_err(|e| e.to_string())
}

fn encode(width: usize, height: usize, rgb: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    encoder.write_header()?.write_image_data(rgb)?;
    Ok(bytes)
}
