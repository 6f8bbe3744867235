//! What is shipped to run Tapedeck for real: behind nginx, and by compose files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::children::Process;
use harness::http;
use harness::ports::free_port;
use harness::publisher::{PublisherOptions, whip};
use harness::tapedeck::{self, Tapedeck};
use harness::wait::until;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, RANGE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use storage_testing::skipped;
use tempfile::TempDir;
use testcard::whip::{Route, WhipPublisher};

const NGINX: &str = include_str!("../nginx.conf");
const COMPOSE: [(&str, &str); 2] = [
    ("docker-compose.yml", include_str!("../docker-compose.yml")),
    (
        "docker-compose.prod.yml",
        include_str!("../docker-compose.prod.yml"),
    ),
];

/// A real nginx with the shipped configuration, in front of a server.
struct Nginx {
    port: u16,
    folder: TempDir,
    _process: Process,
}

impl Nginx {
    fn program() -> Option<PathBuf> {
        ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"]
            .map(PathBuf::from)
            .into_iter()
            .find(|path| path.exists())
    }

    async fn start(program: &Path, tapedeck: &Tapedeck) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let address = tapedeck.url("");
        let configuration = adapted(address.trim_start_matches("http://"), port, folder.path());
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new(program);
        let alone = format!("daemon off; pid {};", folder.path().join("pid").display());
        command
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .args(["-g", &alone]);
        let process = Process::start("nginx", command, &folder.path().join("log")).unwrap();
        let nginx = Self {
            port,
            folder,
            _process: process,
        };
        until("nginx answers", Duration::from_secs(10), || async {
            let asked = http::client().get(nginx.url("/healthz")).send().await;
            asked.ok()
        })
        .await;
        nginx
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// The shipped configuration, with addresses and folders of a test.
fn adapted(server: &str, port: u16, folder: &Path) -> String {
    let changes = [
        ("server tapedeck:6080;", format!("server {server};")),
        ("listen 80;", format!("listen 127.0.0.1:{port};")),
        ("include mime.types;", temporary_folders(folder)),
    ];
    changes
        .iter()
        .fold(NGINX.to_owned(), |text, (shipped, here)| {
            assert_eq!(text.matches(shipped).count(), 1, "{shipped}");
            text.replace(shipped, here)
        })
}

fn temporary_folders(folder: &Path) -> String {
    ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {};", folder.join(kind).display()))
        .join(" ")
}

#[tokio::test]
async fn all_of_a_recordings_life_goes_through_nginx() {
    let Some(program) = Nginx::program() else {
        skipped("nothing was tried behind nginx: it is not installed");
        return;
    };
    let tapedeck = Tapedeck::start_alone(&[]).await;
    let nginx = Nginx::start(&program, &tapedeck).await;
    let client = http::client();

    let options = PublisherOptions::new(0);
    let mut endpoint = whip::endpoint(&tapedeck, "studio", &options.identity, &options.name);
    endpoint.url = nginx.url("/whip/studio").parse().unwrap();
    let publisher = WhipPublisher::publish(endpoint, Route::Udp, options)
        .await
        .expect("it publishes");

    let post = async |path: &str| {
        let request = client.post(nginx.url(path));
        let answer = request.json(&json!({ "roomName": "studio" })).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json::<Value>().await.unwrap()["recording"].clone()
    };
    let started = post("/recordings/start").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let stopped = post("/recordings/stop").await;
    assert_eq!(stopped["id"], started["id"]);
    drop(publisher);

    let file = nginx.url(&format!(
        "/recordings/{}",
        stopped["name"].as_str().unwrap()
    ));
    let size = stopped["size"].as_u64().unwrap();
    let whole = client.get(&file).send().await.unwrap();
    assert_eq!(whole.content_length(), Some(size));
    let whole = whole.bytes().await.unwrap();
    let part = client.get(&file).header(RANGE, "bytes=100-199");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(
        part.headers()[CONTENT_RANGE],
        format!("bytes 100-199/{size}").as_str()
    );
    assert_eq!(part.bytes().await.unwrap(), whole[100..200]);
    let head = client.head(&file).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);

    let page = client.get(nginx.url("/")).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let offer = client.post(nginx.url("/whip/studio"));
    let offer = offer.header(CONTENT_TYPE, "application/sdp").body("no SDP");
    assert_eq!(
        offer.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let large = client.post(nginx.url("/token")).body("x".repeat(70_000));
    let large = large.send().await.unwrap();
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let told: Value = large.json().await.expect("the refusal is Tapedeck's");
    assert!(told["errorMessage"].is_string(), "{told}");
    let deleted = client.request(Method::DELETE, &file).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::OK);

    let log = nginx.log();
    assert!(log.contains("/recordings/start"), "{log}");
    for trouble in ["[error]", "an upstream response is buffered"] {
        assert!(!log.contains(trouble), "{log}");
    }
    tapedeck.assert_nothing_left().await;
}

/// What a compose file sets in the environment of its service `tapedeck`, as `NAME: value` lines.
fn environment(compose: &str) -> Vec<(String, String)> {
    let service = compose.split("\n  tapedeck:\n").nth(1).expect("a service");
    let lines = service.split("    environment:\n").nth(1).expect("one");
    lines
        .lines()
        .take_while(|line| line.starts_with("      "))
        .filter_map(|line| line.trim().split_once(": "))
        .filter(|(name, _)| !name.starts_with('#'))
        // From `.env`, where there is none.
        .filter(|(_, value)| !value.ends_with(":-}"))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect()
}

#[test]
fn what_the_compose_files_set_is_understood() {
    for (name, compose) in COMPOSE {
        let variables = environment(compose);
        assert!(variables.len() >= 3, "{name}: {variables:?}");
        let folder = tempfile::tempdir().unwrap();
        let mut command = tapedeck::command();
        command.arg("config").current_dir(folder.path());
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let shown = command.output().unwrap();
        let said = String::from_utf8_lossy(&shown.stderr).into_owned();
        assert!(shown.status.success() && said.is_empty(), "{name}: {said}");
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        for (variable, _) in &variables {
            assert!(shown.contains(variable), "{name}: {variable} of no effect");
        }
    }
}

#[test]
fn a_container_is_given_the_time_that_finishing_takes() {
    let settings = include_str!("../config/tapedeck.toml");
    let seconds = settings
        .lines()
        .find_map(|line| line.strip_prefix("finish_timeout_s = "))
        .and_then(|seconds| seconds.parse::<u64>().ok())
        .expect("a default");
    assert!(seconds < 330, "{seconds} s");
    for (name, compose) in COMPOSE {
        let service = compose.split("\n  tapedeck:\n").nth(1).expect("a service");
        assert!(service.contains("    stop_grace_period: 5m30s\n"), "{name}");
    }
}
