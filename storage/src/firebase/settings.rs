//! What a Firebase project is told by, and how its store is opened.

use super::account::ServiceAccount;
use super::client::{self, Client, Identity, Service};
use super::documents::Documents;
use super::objects::Objects;
use super::tokens::Tokens;
use super::upload::Protocol;
use super::{Addresses, FirebaseStore};
use crate::StoreError;
use crate::catalogue::Catalogue;
use crate::work::failed;

const STORAGE: &str = "https://storage.googleapis.com";
const FIRESTORE: &str = "https://firestore.googleapis.com";

/// Where a project is, and who asks.
#[derive(Clone, Default)]
pub struct FirebaseSettings {
    /// Empty for the project of the service account.
    pub project_id: String,
    pub bucket: String,
    /// Where recordings lie in the bucket, such as `recordings/`.
    pub prefix: String,
    /// The JSON of a service account's key, or a file that holds it.
    pub service_account: String,
    pub urls: FirebaseUrls,
    /// Emulators instead of Google; they need no account.
    pub emulator: Option<FirebaseEmulator>,
    /// Scheme and host of Google Cloud Storage; empty for Google's own.
    pub storage_endpoint: String,
    /// Likewise of Firestore.
    pub firestore_endpoint: String,
}

/// Where Firebase's emulators listen, such as `localhost:9199`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirebaseEmulator {
    pub storage_host: String,
    pub firestore_host: String,
}

/// Who can open the address of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirebaseUrls {
    /// Whoever has it, for a week at most.
    #[default]
    Signed,
    /// Everybody: the bucket's rules must let them.
    Public,
}

/// Opens a project. Nothing is asked of it yet.
///
/// # Errors
/// The settings do not make sense, or the service account cannot be read.
pub fn open_firebase(settings: &FirebaseSettings) -> Result<FirebaseStore, StoreError> {
    let http = client::http().map_err(|error| failed("open", "Firebase", error))?;
    let address = |given: &str, usual: &str| match given {
        "" => usual.to_owned(),
        given => given.trim_end_matches('/').to_owned(),
    };
    let host = |host: &str| match host.contains("://") {
        true => host.trim_end_matches('/').to_owned(),
        false => format!("http://{host}"),
    };
    let bucket = &settings.bucket;
    let mut project_id = settings.project_id.clone();
    let (identity, protocol, addresses, storage, firestore) = match &settings.emulator {
        Some(emulator) => (
            Identity::Emulator,
            Protocol::Firebase,
            Addresses::Emulator,
            host(&emulator.storage_host),
            host(&emulator.firestore_host),
        ),
        None => {
            let account = ServiceAccount::read(&settings.service_account)
                .map_err(|error| failed("open", "Firebase", error))?;
            if project_id.is_empty() {
                project_id = account.project_id.clone().unwrap_or_default();
            }
            let addresses = match settings.urls {
                FirebaseUrls::Signed => Addresses::Signed(Box::new(account.clone())),
                FirebaseUrls::Public => Addresses::Public,
            };
            (
                Identity::Account(Box::new(Tokens::new(account, http.clone()))),
                Protocol::Json,
                addresses,
                address(&settings.storage_endpoint, STORAGE),
                address(&settings.firestore_endpoint, FIRESTORE),
            )
        }
    };
    let named = [
        (&project_id, "the project (FIREBASE_PROJECT_ID)"),
        (bucket, "the bucket (FIREBASE_STORAGE_BUCKET)"),
    ];
    for (text, what) in named {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        if text.is_empty() || !text.chars().all(is_name) {
            return Err(failed("open", "Firebase", format!("{what} is not named")));
        }
    }
    let prefix = settings.prefix.trim_matches('/');
    let client = Client::new(http, identity).map_err(|error| failed("open", "Firebase", error))?;
    Ok(FirebaseStore {
        client,
        protocol,
        addresses,
        prefix: match prefix {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        },
        place: format!("bucket {bucket} at {storage}, Firestore of {project_id} at {firestore}"),
        objects: Objects {
            service: Service {
                description: format!("bucket {bucket} at {storage}"),
                rights: "that the service account (FIREBASE_SERVICE_ACCOUNT) may create, read, list and delete objects there (role Storage Object Admin)",
                existence: "that the bucket exists (FIREBASE_STORAGE_BUCKET)",
            },
            endpoint: storage,
            bucket: bucket.clone(),
        },
        documents: Documents {
            service: Service {
                description: format!("Firestore of {project_id} at {firestore}"),
                rights: "that the service account (FIREBASE_SERVICE_ACCOUNT) may write there (role Cloud Datastore User) and that the project has Firestore",
                existence: "that the project (FIREBASE_PROJECT_ID) has a Firestore database",
            },
            endpoint: firestore,
            project_id,
        },
        catalogue: Catalogue::default(),
    })
}
