//! The lab's pictures: pure Rust, the font built in, so that they look the same on every machine.
//!
//! Each function takes plain slices and returns a [`Picture`]; nothing here knows the engine.
//! A page of helpers ([`style`]) holds every colour, size and font, so that the pictures form one set.

mod decision;
mod fit;
mod panels;
mod smooth;
pub mod style;

pub use decision::{Field, decision_regions};
pub use fit::{fitted_line, training_loss};
pub use panels::network_panels;

use std::fmt;
use std::path::Path;

use kuva::backend::{png::PngBackend, svg::SvgBackend};
use kuva::render::render::Scene;

/// A finished drawing, ready to be written as PNG or SVG.
pub struct Picture {
    scene: Scene,
}

impl Picture {
    /// Wraps a scene.
    pub fn new(scene: Scene) -> Self {
        Self { scene }
    }

    /// The drawing as the bytes of a PNG file, [`style::PIXELS_PER_UNIT`] pixels for each unit of the scene.
    pub fn png(&self) -> Result<Vec<u8>, PictureError> {
        let scale = f32::from(style::PIXELS_PER_UNIT) * smooth::SAMPLES as f32;
        let fine = PngBackend { scale }.render_scene(&self.scene).map_err(PictureError)?;
        smooth::reduce(&fine).map_err(PictureError)
    }

    /// The drawing as the text of an SVG file.
    pub fn svg(&self) -> String {
        SvgBackend::new().render_scene(&self.scene)
    }

    /// Writes the PNG to `path`.
    pub fn write_png(&self, path: &Path) -> Result<(), PictureError> {
        write(path, &self.png()?)
    }

    /// Writes the SVG to `path`.
    pub fn write_svg(&self, path: &Path) -> Result<(), PictureError> {
        write(path, self.svg().as_bytes())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), PictureError> {
    std::fs::write(path, bytes).map_err(|error| PictureError(format!("{}: {error}", path.display())))
}

/// A picture that could not be rendered or written; says which file and why.
#[derive(Debug)]
pub struct PictureError(String);

impl fmt::Display for PictureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "picture: {}", self.0)
    }
}

impl std::error::Error for PictureError {}
