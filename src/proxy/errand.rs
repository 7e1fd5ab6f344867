//! Requests of the host's own, through the same guarded way out as a session's; no session's policy bends them.

use super::body;
use super::caller::Installation;
use super::policy::Policy;
use super::upstream::Upstreams;
use crate::credential::refresh::{Answer, Post};
use crate::secret::Secret;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long an errand may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer.
const LARGEST: usize = 256 << 10;

/// Sends requests of the host's own.
#[derive(Clone)]
pub struct Errand(Arc<Upstreams>);

impl Errand {
    /// Errands by a policy that is nobody's manifest.
    pub fn new(installation: &Installation, policy: Policy) -> Result<Self, rustls::Error> {
        Ok(Self(Arc::new(Upstreams::new(installation, Arc::new(policy), Arc::new(Semaphore::new(2)))?)))
    }
}

impl Post for Errand {
    fn post(&self, url: &'static str, json: Secret<String>) -> BoxFuture<'static, Answer> {
        let upstreams = Arc::clone(&self.0);
        async move {
            let bytes = Bytes::copy_from_slice(json.expose().as_bytes());
            let request =
                Request::post(url).header(CONTENT_TYPE, "application/json").body(body::whole(bytes));
            let request = request.map_err(|error| error.to_string())?;
            let sent = async {
                let response = upstreams.send(request, true).await.map_err(|error| error.to_string())?;
                let status = response.status().as_u16();
                let body = Limited::new(response.into_body(), LARGEST).collect().await;
                let body = body.map_err(|error| error.to_string())?.to_bytes();
                Ok((status, Secret::new(body.to_vec())))
            };
            tokio::time::timeout(PATIENCE, sent).await.map_err(|_| "no answer in time".to_owned())?
        }
        .boxed()
    }
}
