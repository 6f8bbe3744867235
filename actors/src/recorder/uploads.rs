//! Uploads under way, and recordings before they are delivered.

use super::{ANSWER, Recorder};
use crate::library::Library;
use crate::uploader::Retry;
use crate::{Manifest, RecordingState, RetryError, UploadPage};

impl Recorder {
    /// Uploads under way, the oldest first.
    pub fn uploads(&self, cursor: Option<&str>, limit: usize) -> UploadPage {
        self.inner.services.uploads.page(cursor, limit)
    }

    /// Tries the upload of a recording at once.
    ///
    /// # Errors
    /// It does not wait for another try, or there is none.
    pub async fn retry_upload(&self, id: &str) -> Result<(), RetryError> {
        let uploader = &self.inner.services.uploader;
        let asked = uploader
            .address()
            .send(Retry(id.to_owned()))
            .timeout(ANSWER);
        match asked.await {
            Ok(Err(RetryError::NotFound)) => {}
            Ok(answer) => return answer,
            Err(error) => {
                let detail = format!("the uploader does not answer: {error}");
                return Err(RetryError::Internal(detail));
            }
        }
        match self.get(id).await.map_err(RetryError::Internal)? {
            None => Err(RetryError::NotFound),
            Some(manifest) if manifest.is_delivered() => {
                Err(RetryError::NotWaiting("the recording is delivered already"))
            }
            Some(_) => Err(RetryError::NotWaiting("there is nothing to upload")),
        }
    }

    /// Finished recordings as a store: those that are not delivered yet are read from here.
    pub fn library(&self) -> Library {
        Library::new(self.clone())
    }

    /// Recordings that are rendered and on their way into their stores.
    ///
    /// # Errors
    /// The registry does not answer.
    pub(crate) async fn on_their_way(&self) -> Result<Vec<Manifest>, String> {
        let sessions = self.sessions().await?.into_iter();
        let manifests = sessions.map(|session| session.status.borrow().manifest.clone());
        let is_on_its_way = |manifest: &Manifest| manifest.state == RecordingState::Uploading;
        Ok(manifests.filter(is_on_its_way).collect())
    }
}
