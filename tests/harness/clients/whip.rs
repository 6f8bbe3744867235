use std::path::PathBuf;

use serde_json::json;

use super::{Browser, StaticFiles, Tab};
use crate::publisher::whip;
use crate::tapedeck::Tapedeck;

/// The client's modules: the name that is asked for, and the file in the folder of npm.
const MODULES: [(&str, &str); 6] = [
    (
        "whip-client",
        "@eyevinn/whip-web-client/dist/whip-client.js",
    ),
    ("events", "events/events.js"),
    ("sdp-transform", "sdp-transform/lib/index.js"),
    ("./parser", "sdp-transform/lib/parser.js"),
    ("./writer", "sdp-transform/lib/writer.js"),
    ("./grammar", "sdp-transform/lib/grammar.js"),
];

/// A page that publishes camera and microphone with the WHIP client of Eyevinn, from npm.
pub struct WhipPage {
    files: StaticFiles,
    hash: String,
}

impl WhipPage {
    /// Serves the page on a port of its own: for the server it is one of another host.
    ///
    /// # Panics
    /// The client is missing (the message says how to get it).
    pub async fn serve(tapedeck: &Tapedeck, room: &str, identity: &str) -> Self {
        let endpoint = whip::endpoint(tapedeck, room, identity, "Eyevinn");
        let folder = crate::cache_dir().join("npm/node_modules");
        let mut files: Vec<PathBuf> = MODULES.iter().map(|(_, file)| folder.join(file)).collect();
        assert!(
            files.iter().all(|file| file.is_file()),
            "the WHIP client is missing; get it with: scripts/test-dependencies"
        );
        files.push(super::folder().join("whip.html"));
        let modules: serde_json::Map<_, _> = MODULES
            .iter()
            .filter_map(|(name, file)| Some(((*name).to_owned(), json!(file.rsplit('/').next()?))))
            .collect();
        let job = json!({
            "endpoint": endpoint.url.as_str(),
            "token": endpoint.token,
            "modules": modules,
        });
        let hash = job
            .to_string()
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect();
        Self {
            files: StaticFiles::serve(&files).await,
            hash,
        }
    }

    /// Opens it: it publishes at once.
    pub async fn open<'a>(&self, browser: &'a Browser) -> Tab<'a> {
        let address = format!("http://{}/whip.html#{}", self.files.address, self.hash);
        browser.open(&address).await
    }
}
