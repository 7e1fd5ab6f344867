//! Pure. Where the values of a manifest stand, as `file:line` with the file seen from the project.

use std::collections::HashMap;
use std::path::Path;

use super::layer::{Layer, Text};
use super::spot::{Spot, found};

/// The lines of a manifest's files. What many sessions inherit is looked up once.
pub struct Lines<'a> {
    layers: &'a [Layer],
    texts: &'a [Text],
    root: &'a Path,
    known: HashMap<(usize, usize), String>,
}

impl<'a> Lines<'a> {
    /// The lines of these files.
    pub fn new(layers: &'a [Layer], texts: &'a [Text], root: &'a Path) -> Self {
        Self { layers, texts, root, known: HashMap::new() }
    }

    /// Where a session says something, or the defaults for it; empty where nobody does.
    pub fn of<const N: usize>(&mut self, session: &str, keys: [&str; N]) -> String {
        let spot = found(self.layers, session, &[keys.map(str::to_owned).to_vec()]);
        spot.map(|spot| self.at(&spot)).unwrap_or_default()
    }

    /// The line of a spot.
    pub fn at(&mut self, spot: &Spot) -> String {
        let Text { file, text, .. } = &self.texts[spot.layer];
        let start = spot.named_span(self.layers).start;
        let name = self.known.entry((spot.layer, start)).or_insert_with(|| {
            let line = text[..start].matches('\n').count() + 1;
            format!("{}:{line}", file.strip_prefix(self.root).unwrap_or(file).display())
        });
        name.clone()
    }
}
