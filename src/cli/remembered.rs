//! What was learned, kept in the home: a probe by the image's content, the engine's facts by its reference, and the
//! volumes that belong to the user already.

use crate::error::Error;
use crate::fs;
use crate::home::Home;
use crate::render::facts::{ImageFacts, Probe};
use crate::render::identity::short_hash;
use std::path::{Path, PathBuf};

/// What a probe of the image's content told earlier.
pub fn probe(home: &Home, id: &str) -> Option<Probe> {
    kept(&probe_path(home, id))
}

/// Keeps what a probe of the image's content told.
pub fn keep_probe(home: &Home, id: &str, probe: &Probe) -> Result<(), Error> {
    keep(&probe_path(home, id), probe)
}

/// Keeps what the engine told of an image, for commands that ask no engine.
pub fn keep_facts(home: &Home, image: &ImageFacts) -> Result<(), Error> {
    keep(&facts_path(home, &image.reference), image)
}

/// What the engine told of an image when a container was made from it last.
pub fn facts(home: &Home, reference: &str) -> Option<ImageFacts> {
    kept(&facts_path(home, reference)).filter(|image: &ImageFacts| image.reference == reference)
}

/// Whether the volume of this mark was given to the user.
pub fn given(home: &Home, mark: &str) -> bool {
    fs::exists(&given_path(home, mark))
}

/// Keeps that the volumes of these marks were given to the user.
pub fn keep_given(home: &Home, marks: &[String]) -> Result<(), Error> {
    marks.iter().try_for_each(|mark| keep(&given_path(home, mark), mark))
}

fn given_path(home: &Home, mark: &str) -> PathBuf {
    home.path().join("volumes").join(format!("{}.json", short_hash(mark)))
}

fn probe_path(home: &Home, id: &str) -> PathBuf {
    home.path().join("images").join(format!("{}.json", id.replace(':', "-")))
}

fn facts_path(home: &Home, reference: &str) -> PathBuf {
    home.path().join("images/by-name").join(format!("{}.json", short_hash(reference)))
}

fn kept<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    fs::read_to_string(path).ok().and_then(|text| serde_json::from_str(&text).ok())
}

fn keep(path: &Path, what: &impl serde::Serialize) -> Result<(), Error> {
    let text = serde_json::to_vec(what).unwrap_or_default();
    fs::create_private_dir(path.parent().unwrap_or(path))
        .and_then(|()| fs::replace(path, &text, 0o600))
        .map_err(|error| Error::failed("could not keep what was found").because(error))
}
