//! What `prune` asks of an engine: what things take, and removals that are refused where something is in use.

use super::{Docker, status, version};
use crate::backend::Error;
use crate::plan::observed::Image;
use bollard::query_parameters as query;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// An engine adds up all that it has, which takes a while.
const PATIENCE: Duration = Duration::from_secs(60);
const LARGEST_ANSWER: usize = 64 << 20;

impl Docker {
    /// What a container has written into its own layer; `None` where the engine does not tell.
    pub async fn container_bytes(&self, id: &str) -> Option<u64> {
        let options = query::InspectContainerOptionsBuilder::default().size(true).build();
        let found = self.client.inspect_container(id, Some(options)).await.ok()?;
        found.size_rw.and_then(|bytes| u64::try_from(bytes).ok())
    }

    /// What each volume takes, by its name; those alone of which the engine tells.
    pub async fn volume_bytes(&self) -> BTreeMap<String, u64> {
        let socket = self.address.strip_prefix("unix://").unwrap_or(&self.address);
        let told = tokio::time::timeout(PATIENCE, usage(Path::new(socket))).await;
        told.ok().and_then(Result::ok).map(|told| volumes(&told)).unwrap_or_default()
    }

    /// Removes a container that does not run; `false` where it does.
    pub async fn remove_stopped(&self, id: &str) -> Result<bool, Error> {
        let options = query::RemoveContainerOptionsBuilder::default().force(false).v(false).build();
        match self.client.remove_container(id, Some(options)).await {
            Err(error) if status(&error) == Some(409) => Ok(false),
            Err(error) if status(&error) != Some(404) => Err(self.failed("remove", id, error)),
            _ => Ok(true),
        }
    }

    /// Every image that a backend of ours built.
    pub async fn built(&self) -> Result<Vec<Image>, Error> {
        let filters = HashMap::from([("label", vec!["clauderon.build"])]);
        let options = query::ListImagesOptionsBuilder::default().filters(&filters).build();
        let list = self.client.list_images(Some(options)).await;
        let list = list.map_err(|error| self.failed("list", "images", error))?;
        let image = |found: bollard::models::ImageSummary| Image {
            id: found.id,
            names: found.repo_tags.into_iter().filter(|name| name != "<none>:<none>").collect(),
            labels: found.labels.into_iter().collect(),
            bytes: u64::try_from(found.size).unwrap_or(0),
        };
        let mut images: Vec<Image> = list.into_iter().map(image).collect();
        images.sort_by(|left, right| (&left.names, &left.id).cmp(&(&right.names, &right.id)));
        Ok(images)
    }

    /// Removes an image by its id; `false` where a container or a name of somebody else's uses it.
    pub async fn remove_image(&self, id: &str) -> Result<bool, Error> {
        let options = query::RemoveImageOptionsBuilder::default().force(false).build();
        match self.client.remove_image(id, Some(options), None).await {
            Err(error) if status(&error) == Some(409) => Ok(false),
            Err(error) if status(&error) != Some(404) => Err(self.failed("remove", id, error)),
            _ => Ok(true),
        }
    }
}

/// `GET /system/df`, whose answer has another shape in each generation of engines: `bollard` knows the newest alone.
async fn usage(socket: &Path) -> Result<Value, version::Failure> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = hyper::Request::get("/system/df?type=volume&verbose=true").header(HOST, "docker");
    let request = request.body(Empty::<Bytes>::new())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    };
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        told = &mut answer => told,
        _ = connection => answer.await,
    }
}

fn volumes(told: &Value) -> BTreeMap<String, u64> {
    let old = told["Volumes"].as_array();
    let list = old.or_else(|| told["VolumeUsage"]["Items"].as_array()).into_iter().flatten();
    let volume = |volume: &Value| {
        let bytes = volume["UsageData"]["Size"].as_i64()?;
        Some((volume["Name"].as_str()?.to_owned(), u64::try_from(bytes).ok()?))
    };
    list.filter_map(volume).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_sizes_of_volumes_are_read_from_old_and_new_engines() {
        let list = json!([
            { "Name": "a", "UsageData": { "Size": 7, "RefCount": 0 } },
            { "Name": "elsewhere", "UsageData": { "Size": -1, "RefCount": 0 } },
            { "Name": "untold" },
        ]);
        let expected = BTreeMap::from([("a".to_owned(), 7)]);
        assert_eq!(volumes(&json!({ "Volumes": list })), expected);
        assert_eq!(volumes(&json!({ "VolumeUsage": { "Items": list } })), expected);
        assert_eq!(volumes(&json!({})), BTreeMap::new());
    }
}
