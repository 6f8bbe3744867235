use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::json;
use tapedeck_actors::{DiskSpace, RecordingState};

use super::fakes::{ROOM, manifest};
use super::*;

/// A metric: its type and its labels.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

fn server() -> Server {
    Server {
        recorder: Arc::new(FakeRecorder {
            live: Some(manifest(RecordingState::Active)).into(),
            space: DiskSpace {
                free_bytes: 5_000,
                needed_bytes: 1_000,
            },
            ..FakeRecorder::default()
        }),
        ..Server::default()
    }
}

/// What a server tells that was asked before.
async fn told(server: &Server) -> String {
    let services = server.services();
    let ask = |path: &str| server.send_to(services.clone(), TestRequest::get().uri(path));
    ask("/recordings/studio.mp4").await;
    ask(&format!("/recordings/{ROOM}")).await;
    ask("/nothing/here").await;
    let told = ask("/metrics").await;
    assert_eq!(told.status, 200);
    let kind = told.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"));
    told.json_text()
}

fn read(text: &str) -> Metrics {
    let mut metrics = Metrics::new();
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            metrics.insert(name.into(), (kind.into(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = family_of(name, &metrics).unwrap_or_else(|| panic!("{line}"));
            let labels = line
                .split_once('{')
                .map(|(_, rest)| rest.rsplit_once('}').unwrap().0);
            let labels = labels.into_iter().flat_map(|labels| labels.split("\","));
            let names = labels.filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
            let (_, known) = metrics.get_mut(&family).unwrap();
            known.extend(names.filter(|name| name != "le"));
        }
    }
    metrics
}

/// The metric that a name in a query belongs to.
fn family_of(name: &str, metrics: &Metrics) -> Option<String> {
    let endings: &[(&str, &str)] = &[
        ("gauge", ""),
        ("counter", "_total"),
        ("info", "_info"),
        ("histogram", "_bucket"),
        ("histogram", "_sum"),
        ("histogram", "_count"),
    ];
    endings.iter().find_map(|(kind, ending)| {
        let family = name.strip_suffix(ending)?;
        let (found, _) = metrics.get(family)?;
        (found == kind).then(|| family.to_owned())
    })
}

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[actix_web::test]
async fn the_page_lists_every_metric_with_its_type_and_labels() {
    let mut listed = Metrics::new();
    for row in file("docs/metrics.md").lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, kind, labels, meaning, _] = cells[..] else {
            continue;
        };
        if !name.starts_with('`') {
            continue;
        }
        assert!(!meaning.is_empty(), "{row}");
        let labels = labels
            .split(',')
            .map(|label| label.trim().trim_matches('`'));
        let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned);
        listed.insert(
            name.trim_matches('`').into(),
            (kind.into(), labels.collect()),
        );
    }
    assert_eq!(listed, read(&told(&server()).await));
}

#[actix_web::test]
async fn dashboard_and_alerts_use_metrics_that_exist() {
    let metrics = read(&told(&server()).await);
    for path in [
        "config/grafana/dashboard.json",
        "config/prometheus/alerts.yml",
    ] {
        let text = file(path);
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let words = text.split(|character| !is_part(character));
        let used: Vec<&str> = words.filter(|word| word.starts_with("tapedeck_")).collect();
        assert!(used.len() > 10, "{path}");
        for name in used {
            assert!(family_of(name, &metrics).is_some(), "{path} uses {name}");
        }
    }
    let dashboard: Value = serde_json::from_str(&file("config/grafana/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    assert!(queries.clone().count() > panels.len());
    for query in queries {
        assert!(
            query["expr"]
                .as_str()
                .is_some_and(|it| it.contains("tapedeck_")),
            "{query}"
        );
    }
}

#[test]
fn prometheus_takes_the_alerts() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prometheus/alerts.yml");
    let mut promtool = std::process::Command::new("promtool");
    match promtool.args(["check", "rules"]).arg(rules).output() {
        Ok(checked) => assert!(checked.status.success(), "{checked:?}"),
        Err(_) => eprintln!("\nskipped: no promtool here: the rules are not checked"),
    }
}

#[actix_web::test]
async fn numbers_are_told_and_names_are_not() {
    let text = told(&server()).await;
    for line in [
        r#"tapedeck_recordings{source="livekit",state="active"} 1"#,
        r#"tapedeck_recordings{source="whip",state="active"} 0"#,
        "tapedeck_render_lag_seconds 7.5",
        "tapedeck_disk_free_bytes 5000",
        "tapedeck_disk_needed_bytes 1000",
        "tapedeck_webhooks_pending 4",
        r#"tapedeck_http_requests_total{method="GET",route="/recordings/{name}",status="4xx"} 2"#,
        r#"tapedeck_http_requests_total{method="GET",route="none",status="4xx"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    for name in [ROOM, "EG_0123456789ab", "alice", "nothing"] {
        assert!(!text.contains(name), "{name}");
    }
}

#[actix_web::test]
async fn a_scrape_is_answered_when_nobody_else_is() {
    let recorder = FakeRecorder {
        unready: Some("the registry does not answer".into()),
        ..FakeRecorder::default()
    };
    let server = Server {
        recorder: Arc::new(recorder),
        ..Server::default()
    };
    let text = told(&server).await;
    assert!(text.contains("tapedeck_http_requests_total"), "{text}");
    assert_eq!(server.post("/metrics", json!({})).await.status, 405);
}

#[actix_web::test]
async fn packets_lost_are_counted_but_not_those_of_an_earlier_server() {
    for (is_earlier, lost) in [(false, 3), (true, 0)] {
        let server = server();
        let services = server.services();
        let scrape = || server.send_to(services.clone(), TestRequest::get().uri("/metrics"));
        let live = server.recorder.live.lock().unwrap().clone();
        if !is_earlier {
            *server.recorder.live.lock().unwrap() = None;
        }
        scrape().await;
        *server.recorder.live.lock().unwrap() = live;
        actix_web::rt::time::sleep(crate::metrics::FRESH).await;
        let told = scrape().await.json_text();
        let line = format!("tapedeck_packets_lost_total {lost}");
        assert!(told.lines().any(|found| found == line), "{line}\n{told}");
    }
}
