//! An image build through the engine's own builder: the context travels as a tar archive.

use super::Docker;
use crate::backend::Error;
use crate::manifest::project::Build;
use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::path::Path;

/// Builds the context under a name.
pub async fn build(docker: &Docker, build: &Build, reference: &str) -> Result<(), Error> {
    let failed = |message: String| Error::Build { reference: reference.to_owned(), message };
    let context = build.context.clone();
    let archive = tokio::task::spawn_blocking(move || archive(&context))
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(format!("context `{}`: {error}", build.context.display())))?;
    let arguments: HashMap<String, String> = build.args.clone().into_iter().collect();
    let options = BuildImageOptionsBuilder::default()
        .dockerfile(&build.dockerfile)
        .t(reference)
        .buildargs(&arguments)
        .target(build.target.as_deref().unwrap_or_default())
        .rm(true)
        .forcerm(true)
        .build();
    let body = bollard::body_full(archive.into());
    let mut steps = docker.client().build_image(options, None, Some(body));
    let mut words = String::new();
    while let Some(step) = steps.next().await {
        let step = step.map_err(|error| failed(format!("{error}\n{}", words.trim_end())))?;
        if let Some(text) = step.stream {
            words.push_str(&text);
            let surplus = words.len().saturating_sub(2048);
            let start = words.char_indices().map(|(at, _)| at).find(|at| *at >= surplus).unwrap_or(0);
            words.drain(..start);
        }
        if let Some(error) = step.error_detail.and_then(|detail| detail.message) {
            return Err(failed(format!("{error}\n{}", words.trim_end())));
        }
    }
    Ok(())
}

fn archive(context: &Path) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.follow_symlinks(false);
    archive.append_dir_all(".", context)?;
    archive.into_inner()
}
