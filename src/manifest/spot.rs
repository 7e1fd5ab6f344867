//! Pure. Where in the files of a manifest something stands: the highest file wins, a session before the defaults.

use std::ops::Range;

use super::host::host_pattern;
use super::layer::Layer;
use super::path::container_path;
use super::tree::{Kind, Node};

/// A path in one of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    /// Which file.
    pub layer: usize,
    /// The keys and indexes.
    pub path: Vec<String>,
}

impl Spot {
    /// The path in the highest file that has it.
    pub fn highest(layers: &[Layer], path: &[String]) -> Option<Self> {
        let layer = layers.iter().rposition(|layer| layer.tree.has(path))?;
        Some(Self { layer, path: path.to_vec() })
    }

    /// The bytes to underline.
    pub fn span(&self, layers: &[Layer]) -> Range<usize> {
        layers.get(self.layer).map_or(0..0, |layer| layer.tree.place(&self.path))
    }

    /// The bytes of the key that names it.
    pub fn named_span(&self, layers: &[Layer]) -> Range<usize> {
        layers.get(self.layer).map_or(0..0, |layer| layer.tree.named_place(&self.path))
    }
}

/// The best place of a rule: the first of the paths that stands in the session, else among the defaults, else the
/// session itself.
pub fn best(layers: &[Layer], session: &str, keys: &[Vec<String>]) -> Spot {
    let own = vec!["sessions".to_owned(), session.to_owned()];
    let top = || Spot { layer: layers.len().saturating_sub(1), path: Vec::new() };
    found(layers, session, keys).or_else(|| Spot::highest(layers, &own)).unwrap_or_else(top)
}

/// The first of the paths that stands in the session, else among the defaults. A volume is named by its target.
pub(super) fn found(layers: &[Layer], session: &str, keys: &[Vec<String>]) -> Option<Spot> {
    let own = vec!["sessions".to_owned(), session.to_owned()];
    let bases = [own.as_slice(), &[]];
    let paths = bases.into_iter().flat_map(|base| keys.iter().map(move |keys| (base, keys)));
    paths.into_iter().find_map(|(base, keys)| match keys.as_slice() {
        [volumes, target] if volumes == "volumes" => in_levels(layers, base, |level| volume(level, target)),
        [proxy, hosts, name] if proxy == "proxy" && hosts == "hosts" => {
            in_levels(layers, base, |level| host(level, name))
        }
        keys => Spot::highest(layers, &[base, keys].concat()),
    })
}

/// What is found below a base, in the highest file where it is.
fn in_levels(layers: &[Layer], base: &[String], look: impl Fn(&Node) -> Option<Vec<String>>) -> Option<Spot> {
    (0..layers.len()).rev().find_map(|layer| {
        let level = base.iter().try_fold(&layers[layer].tree, |node, key| node.get(key))?;
        Some(Spot { layer, path: [base, &look(level)?].concat() })
    })
}

/// The key of a level's hosts that means a name or pattern.
fn host(level: &Node, name: &str) -> Option<Vec<String>> {
    let Kind::Map(entries) = &level.get("proxy")?.get("hosts")?.kind else { return None };
    let means = |key: &str| host_pattern(key).is_ok_and(|pattern| pattern == name);
    let entry = entries.iter().find(|entry| means(&entry.key) && entry.value.kind != Kind::Null)?;
    Some(vec!["proxy".to_owned(), "hosts".to_owned(), entry.key.clone()])
}

/// The item of a level's volumes that is mounted at a target.
pub(super) fn volume(level: &Node, target: &str) -> Option<Vec<String>> {
    let Kind::List(items) = &level.get("volumes")?.kind else { return None };
    let is_there = |item: &Node| {
        let written = match &item.kind {
            Kind::Text(short) => short.split(':').nth(1),
            _ => item.get("target").and_then(|target| match &target.kind {
                Kind::Text(text) => Some(text.as_str()),
                _ => None,
            }),
        };
        written.and_then(|written| container_path(written).ok()).is_some_and(|path| path == target)
    };
    let index = items.iter().position(is_there)?;
    Some(vec!["volumes".to_owned(), index.to_string()])
}
