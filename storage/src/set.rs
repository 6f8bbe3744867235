//! Several stores at once: each kind of recording goes to one of them, and what earlier
//! configurations left in others is still there.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::{BoxStream, FuturesUnordered};
use tokio::time::timeout;

use crate::work::failed;
use crate::{RecordingMetadata, RecordingStore, StoreError, StoredObject, hash};

/// How long a store may take to list its recordings.
const LIST_TIMEOUT: Duration = Duration::from_secs(20);
/// How long only the store where an object should be is asked for it.
const FIRST_ALONE: Duration = Duration::from_secs(2);
/// How long a store may take to say whether it has what was found in another.
const ELSEWHERE: Duration = Duration::from_secs(5);

/// A store among others.
pub type Store = Arc<dyn RecordingStore>;

/// The stores of a server. A clone speaks to the same ones.
#[derive(Clone)]
pub struct Stores {
    main: Store,
    /// Stores by the name of the source whose recordings go there instead.
    by_source: Vec<(String, Store)>,
    /// Where nothing goes any more.
    former: Vec<Store>,
}

/// What stores list.
#[derive(Debug, Default)]
pub struct Listing {
    /// In no order; further files are left out.
    pub recordings: Vec<RecordingMetadata>,
    /// What could not be listed, and why.
    pub unavailable: Vec<StoreError>,
    /// Stores that answered.
    pub answered: usize,
}

impl Stores {
    /// All recordings go to `main`.
    pub fn new(main: Store) -> Self {
        Self {
            main,
            by_source: Vec::new(),
            former: Vec::new(),
        }
    }

    /// Recordings of this source go to `store`.
    #[must_use]
    pub fn with_source(mut self, source: &str, store: Store) -> Self {
        self.by_source.push((source.to_owned(), store));
        self
    }

    /// Nothing goes to `store`, but what is there is listed, read and deleted.
    #[must_use]
    pub fn with_former(mut self, store: Store) -> Self {
        self.former.push(store);
        self
    }

    /// Where recordings of this source go.
    pub fn of(&self, source: &str) -> &Store {
        let found = self.by_source.iter().find(|(known, _)| known == source);
        found.map_or(&self.main, |(_, store)| store)
    }

    /// Stores to which recordings go, each once, the main one first.
    pub fn in_use(&self) -> Vec<&Store> {
        let mut stores = vec![&self.main];
        for (_, store) in &self.by_source {
            if !stores.iter().any(|known| Arc::ptr_eq(known, store)) {
                stores.push(store);
            }
        }
        stores
    }

    fn all(&self) -> Vec<&Store> {
        let mut stores = self.in_use();
        for store in &self.former {
            if !stores.iter().any(|known| Arc::ptr_eq(known, store)) {
                stores.push(store);
            }
        }
        stores
    }

    /// Where recordings go, in words for operators.
    pub fn place(&self) -> String {
        let mut words = self.main.place().to_owned();
        for (source, store) in &self.by_source {
            if !Arc::ptr_eq(store, &self.main) {
                words.push_str(&format!(", those of {source} to {}", store.place()));
            }
        }
        words
    }

    /// The recordings of all stores.
    pub async fn list(&self) -> Listing {
        let mut listing = Listing::default();
        let asked = self.all().into_iter().map(|store| async move {
            let listed = timeout(LIST_TIMEOUT, store.list()).await;
            listed.unwrap_or_else(|_| Err(no_answer("list", "recordings", store, LIST_TIMEOUT)))
        });
        for answer in join_all(asked).await {
            match answer {
                Ok(recordings) => {
                    listing.answered += 1;
                    listing.recordings.extend(recordings);
                }
                Err(error) => listing.unavailable.push(error),
            }
        }
        listing
            .recordings
            .retain(|recording| recording.part_of.is_none());
        listing
    }

    /// The store that has `name`, with what it says of it. Where the recording's source is known, its
    /// store is asked first; a store that is away delays no answer of another.
    ///
    /// # Errors
    /// No store has it, or one that may have it does not answer.
    pub async fn find(
        &self,
        name: &str,
        source: Option<&str>,
    ) -> Result<(&Store, StoredObject), StoreError> {
        if let Some(source) = source {
            let store = self.of(source);
            if let Ok(Ok(object)) = timeout(FIRST_ALONE, store.head(name)).await {
                return Ok((store, object));
            }
        }
        let stores = self.all().into_iter();
        let mut asked: FuturesUnordered<_> = stores
            .map(|store| async move { (store, store.head(name).await) })
            .collect();
        let mut trouble = None;
        while let Some((store, answer)) = asked.next().await {
            match answer {
                Ok(object) => return Ok((store, object)),
                Err(StoreError::NotFound(_)) => {}
                Err(error) => {
                    trouble.get_or_insert(error);
                }
            }
        }
        Err(trouble.unwrap_or_else(|| StoreError::NotFound(name.into())))
    }

    /// What is known of an object, wherever it is; `source` as in [`Self::find`].
    ///
    /// # Errors
    /// No store has it, or one that may have it does not answer.
    pub async fn head(&self, name: &str, source: Option<&str>) -> Result<StoredObject, StoreError> {
        let (_, object) = self.find(name, source).await?;
        Ok(object)
    }

    /// The bytes of `range`, which must lie within the object; `source` as in [`Self::find`].
    ///
    /// # Errors
    /// No store has it, or the one that has it fails.
    pub async fn read(
        &self,
        name: &str,
        source: Option<&str>,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let (store, _) = self.find(name, source).await?;
        store.read(name, range).await
    }

    /// SHA-256 of the first `size` bytes of an object, lower-case hexadecimal: all of it is read.
    /// `source` as in [`Self::find`].
    ///
    /// # Errors
    /// No store has it, or the one that has it fails.
    pub async fn digest(
        &self,
        name: &str,
        source: Option<&str>,
        size: u64,
    ) -> Result<String, StoreError> {
        hash::of_stream(self.read(name, source, 0..size).await?).await
    }

    /// An address at which anybody can fetch the object for so long, where its store can give one;
    /// `source` as in [`Self::find`].
    ///
    /// # Errors
    /// No store has it, or the one that has it fails.
    pub async fn url(
        &self,
        name: &str,
        source: Option<&str>,
        valid: Duration,
    ) -> Result<Option<String>, StoreError> {
        let (store, _) = self.find(name, source).await?;
        store.url(name, valid).await
    }

    /// Removes files of a recording and their metadata, the main file last, from `home`, which has
    /// it, and from wherever else it is; gone already is success.
    ///
    /// # Errors
    /// `home` does not remove them.
    pub async fn delete(&self, names: &[String], home: &Store) -> Result<(), StoreError> {
        delete_all(home, names).await?;
        let Some(main) = names.last() else {
            return Ok(());
        };
        let others = self.all().into_iter();
        let others = others.filter(|store| !Arc::ptr_eq(store, home));
        let deleted = others.map(|store| async move {
            let deleted = match timeout(ELSEWHERE, store.head(main)).await {
                Ok(Ok(_)) => delete_all(store, names).await,
                Ok(Err(StoreError::NotFound(_))) => Ok(()),
                Ok(Err(error)) => Err(error),
                Err(_) => Err(no_answer("look up", main, store, ELSEWHERE)),
            };
            if let Err(error) = deleted {
                log::warn!("{error}: if it is there, it stays");
            }
        });
        join_all(deleted).await;
        Ok(())
    }
}

async fn delete_all(store: &Store, names: &[String]) -> Result<(), StoreError> {
    for name in names {
        store.delete(name).await?;
    }
    Ok(())
}

fn no_answer(action: &'static str, name: &str, store: &Store, waited: Duration) -> StoreError {
    let detail = format!("{}: no answer within {} s", store.place(), waited.as_secs());
    failed(action, name, detail)
}

impl<S: RecordingStore + 'static> From<Arc<S>> for Stores {
    fn from(store: Arc<S>) -> Self {
        Self::new(store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DiskStore, UploadProgress};

    fn metadata(name: &str, part_of: Option<&str>) -> RecordingMetadata {
        RecordingMetadata {
            id: "EG_1".into(),
            name: name.into(),
            room_name: "room".into(),
            room_id: String::new(),
            started_at: 0,
            duration: 0.0,
            size: 4,
            sha256: None,
            metadata: None,
            end_reason: None,
            gaps: Vec::new(),
            pauses: Vec::new(),
            files: Vec::new(),
            part_of: part_of.map(str::to_owned),
        }
    }

    #[tokio::test]
    async fn each_source_has_its_store_and_all_are_one() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| Arc::new(DiskStore::open(&folder.path().join(name)).unwrap());
        let (main, whip, former) = (open("main"), open("whip"), open("former"));
        let file = folder.path().join("film");
        std::fs::write(&file, b"film").unwrap();
        let stores = Stores::from(main.clone())
            .with_source("whip", whip.clone())
            .with_former(former.clone());
        for (store, name) in [
            (stores.of("livekit"), "a.mp4"),
            (stores.of("whip"), "b.mp4"),
            (&(former.clone() as Store), "c.mp4"),
        ] {
            let progress = UploadProgress::default();
            store
                .put(&file, &metadata(name, None), &progress)
                .await
                .unwrap();
            let further = name.replace(".mp4", "-x.wav");
            store
                .put(&file, &metadata(&further, Some(name)), &progress)
                .await
                .unwrap();
        }
        assert!(whip.head("b.mp4").await.is_ok() && main.head("b.mp4").await.is_err());
        let listing = stores.list().await;
        let mut names: Vec<_> = listing.recordings.iter().map(|it| &it.name).collect();
        names.sort();
        assert_eq!(names, ["a.mp4", "b.mp4", "c.mp4"]);
        assert_eq!(listing.answered, 3);
        assert_eq!(stores.head("c-x.wav", None).await.unwrap().size, 4);
        assert_eq!(
            stores.digest("c.mp4", None, 4).await.unwrap(),
            crate::file_digest(&file).unwrap().1
        );
        for name in ["a.mp4", "b.mp4", "c.mp4"] {
            let (home, _) = stores.find(name, None).await.unwrap();
            stores.delete(&[name.into()], home).await.unwrap();
            assert!(matches!(
                stores.head(name, Some("whip")).await,
                Err(StoreError::NotFound(_))
            ));
        }
    }

    #[tokio::test]
    async fn a_store_that_fails_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let main = Arc::new(DiskStore::open(&gone).unwrap());
        let other = Arc::new(DiskStore::open(&folder.path().join("other")).unwrap());
        let file = folder.path().join("film");
        std::fs::write(&file, b"film").unwrap();
        let progress = UploadProgress::default();
        other
            .put(&file, &metadata("a.mp4", None), &progress)
            .await
            .unwrap();
        // A folder that cannot be listed, for root too.
        std::fs::remove_dir_all(&gone).unwrap();
        std::fs::write(&gone, b"").unwrap();
        let stores = Stores::from(main).with_former(other);
        let listing = stores.list().await;
        assert_eq!(listing.recordings.len(), 1);
        assert_eq!(
            (listing.answered, listing.unavailable.len()),
            (1, 1),
            "{listing:?}"
        );
    }
}
