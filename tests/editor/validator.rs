//! A validator of JSON schemas that shares no code with clauderon's: see `validate.mjs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{packages, repository};

/// What the independent validator says of files: the places of its errors, or nothing where one is no YAML.
pub fn judged(schema: &Path, files: &[PathBuf]) -> BTreeMap<PathBuf, Option<Vec<String>>> {
    let packages = packages();
    assert!(packages.join("node_modules/ajv").exists(), "no validator; run scripts/editor");
    let output = Command::new("node")
        .arg(repository().join("tests/editor/validate.mjs"))
        .arg(packages)
        .arg(schema)
        .args(files)
        .output()
        .expect("node starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let line = |line: &str| {
        let judged: Value = serde_json::from_str(line).expect("a line of JSON");
        let path = |error: &Value| error["path"].as_str().unwrap_or_default().to_owned();
        let errors = judged["errors"].as_array().map(|errors| errors.iter().map(path).collect());
        (PathBuf::from(judged["file"].as_str().expect("a file")), errors)
    };
    String::from_utf8(output.stdout).expect("text").lines().map(line).collect()
}
