//! What the server's processes have given up before strangers can reach them, and how long a client
//! that sends nothing is waited for.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::clients::Browser;
use harness::livekit::API_SECRET;
use harness::publisher::{PublisherOptions, whip};
use harness::tapedeck::Tapedeck;

const SOON: Duration = Duration::from_secs(30);
const SECRETS: [(&str, &str); 4] = [
    ("TAPEDECK_AUTH_OPERATOR_KEY", "operator-key-of-the-test"),
    ("AWS_SECRET_ACCESS_KEY", "key-of-a-bucket"),
    ("MEMHARBOR_SECRET_KEY", "key-of-nothing"),
    ("HTTPS_PROXY", "http://user:password-of-a-proxy@localhost"),
];

/// The line of `/proc/PID/FILE` that begins with `name`, without it.
fn line(pid: i32, file: &str, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).expect("a running process");
    let found = text.lines().find_map(|line| line.strip_prefix(name));
    found.expect(name).trim().to_owned()
}

/// What the descriptors of a process are.
fn descriptors(pid: i32) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("a running process");
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.collect()
}

fn is_shared(link: &Path) -> bool {
    let text = link.to_string_lossy();
    // Every process opens these anew; `anon_inode:` names a kind, not a thing.
    !(text.starts_with("anon_inode:") || text.starts_with("/dev/") || text.ends_with(".so"))
}

#[tokio::test]
async fn processes_have_given_up_what_they_do_not_need() {
    let tapedeck = Tapedeck::start_alone(&SECRETS).await;
    let key = SECRETS[0].1;
    let publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let request = tapedeck.request(reqwest::Method::POST, "/recordings/start");
    let request = request.bearer_auth(key);
    let body = serde_json::json!({"roomName": "studio"});
    let started = tapedeck.send(request.json(&body)).await;
    assert_eq!(started.status, 200, "{}", started.body);
    let id = started.body["recording"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    tokio::time::sleep(Duration::from_secs(2)).await;

    let server = tapedeck.children("serve")[0];
    let of_server = descriptors(server);
    for (role, log) in [
        ("capture", tapedeck.work(&id).join("capture.log")),
        ("render", tapedeck.work(&id).join("render.log")),
        ("rooms", tapedeck.data().join("rooms/rooms.log")),
    ] {
        let pids = tapedeck.children(role);
        assert_eq!(pids.len(), 1, "{role}: {pids:?}");
        let pid = pids[0];
        assert_eq!(line(pid, "status", "NoNewPrivs:"), "1", "{role}");
        let core = line(pid, "limits", "Max core file size");
        assert!(core.starts_with('0'), "{role}: {core}");
        let environment = fs::read(format!("/proc/{pid}/environ")).expect("an environment");
        let environment = String::from_utf8_lossy(&environment);
        for secret in SECRETS
            .map(|(_, value)| value)
            .into_iter()
            .chain([API_SECRET])
        {
            let is_there = environment.split('\0').any(|one| {
                one.split_once('=')
                    .is_some_and(|(_, value)| value.contains(secret))
            });
            assert!(!is_there, "{role} has {secret}: {environment}");
        }
        let own = descriptors(pid);
        let inherited: Vec<_> = own
            .intersection(&of_server)
            .filter(|it| is_shared(it))
            .collect();
        assert!(inherited.is_empty(), "{role} inherited {inherited:?}");
        let said = fs::read_to_string(&log).expect("a log");
        let expected = match tapedeck_pipelines::process::kernel_confines() {
            true => "confined: nothing but its folder",
            false => "not confined: this kernel",
        };
        assert!(said.contains(expected), "{role}: {said}");
    }

    let request = tapedeck.request(reqwest::Method::POST, "/recordings/stop");
    let stopped = tapedeck.send(request.bearer_auth(key).json(&body)).await;
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    assert_eq!(
        stopped.body["recording"]["status"], "complete",
        "{}",
        stopped.body
    );
    drop(publisher);

    // Its headers let nothing run, but play.
    let name = stopped.body["recording"]["name"].as_str().expect("a name");
    let request = tapedeck.request(reqwest::Method::GET, &format!("/recordings/{name}/url"));
    let link = tapedeck.send(request.bearer_auth(key)).await.body["recordingUrl"].clone();
    let browser = Browser::start(&[]);
    let page = browser
        .open(&tapedeck.url(link.as_str().expect("a link")))
        .await;
    page.until("document.querySelector('video')?.videoWidth > 0", SOON)
        .await;
    assert!(!tapedeck.log().contains(key), "the log holds the key");
}

#[tokio::test]
async fn clients_that_send_nothing_are_not_waited_for() {
    let tapedeck = Tapedeck::start_alone(&[]).await;
    let port = tapedeck.port;
    let waited = |sent: &'static str| {
        tokio::task::spawn_blocking(move || {
            let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
            connection
                .set_read_timeout(Some(Duration::from_secs(60)))
                .expect("a time-out");
            let begun = Instant::now();
            connection.write_all(sent.as_bytes()).expect("a beginning");
            let mut answer = Vec::new();
            let _ = connection.read_to_end(&mut answer);
            begun.elapsed()
        })
    };
    let (silent, torn) = tokio::join!(
        waited(""),
        waited("POST /token HTTP/1.1\r\nHost: localhost\r\nX-Slow: a"),
    );
    for (what, took) in [("silence", silent), ("half a head", torn)] {
        let took = took.expect("it ran");
        assert!(took < Duration::from_secs(30), "{what}: {took:?}");
    }
}
