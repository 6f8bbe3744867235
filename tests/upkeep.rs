//! What an operator does when something is wrong: list, recover, check, export, render again.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use harness::findings::{Findings, grid};
use harness::publisher::{PublisherOptions, whip};
use harness::tapedeck::Tapedeck;
use serde_json::{Value, json};

#[tokio::test]
async fn a_log_without_a_manifest_is_told_exported_rendered_adopted_and_delivered() {
    let mut tapedeck = Tapedeck::start_alone(&[]).await;
    let publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 5.0).await;
    let end = tapedeck.position(&started);
    for word in ["pause", "resume"] {
        tapedeck.ask(word, &started).await;
    }
    tapedeck.kill_everything();
    drop(publisher);
    let work = tapedeck.work(&started.id);

    // What a power cut can leave: half a record, and no manifest.
    let segment = work.join("log/000001.tdl");
    let whole = fs::metadata(&segment).unwrap().len();
    let mut torn = fs::File::options().append(true).open(&segment).unwrap();
    torn.write_all(&[7; 30]).unwrap();
    let checked = run(&tapedeck, &["check", "--json"]);
    assert!(!checked.status.success());
    assert!(codes(&answer(&checked)).contains(&"torn_tail".to_owned()));
    assert!(fs::metadata(&segment).unwrap().len() > whole, "only told");
    let repaired = answer(&run(&tapedeck, &["check", "--json", "--repair"]));
    let torn = finding(&repaired, "torn_tail");
    assert_eq!(torn["repaired"], true, "{repaired}");
    assert!(fs::metadata(&segment).unwrap().len() <= whole);
    fs::write(work.join("manifest.json"), b"{ \"id\": \"EG_").unwrap();

    let list = answer(&run(&tapedeck, &["recover", "--list", "--json"]));
    assert_eq!(
        list["orphans"][0]["recordingId"],
        started.id.as_str(),
        "{list}"
    );
    assert_eq!(list["orphans"][0]["roomName"], "studio", "{list}");
    let table = run(&tapedeck, &["recover", "--list"]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(
        table.contains(&format!("tapedeck recover {}", started.id)),
        "{table}"
    );
    assert!(!run(&tapedeck, &["check"]).status.success());

    let tracks = tapedeck.data().with_file_name("tracks");
    let out = tracks.display().to_string();
    let exported = answer(&run(&tapedeck, &["export", &started.id, "--out", &out]));
    assert_eq!(exported.as_array().map(Vec::len), Some(2), "{exported}");
    for track in exported.as_array().unwrap() {
        let file = Path::new(track["file"].as_str().expect("a file"));
        assert_decodes(file);
        let last = last_packet(file);
        let told = track["lastMs"].as_f64().unwrap() / 1e3;
        assert!((last - told).abs() < 0.1, "{last} {track}");
        assert!((last - end).abs() < 1.5, "{last} of {end}: {track}");
    }
    let again = run(&tapedeck, &["export", &started.id, "--out", &out]);
    assert!(!again.status.success(), "nothing is written over");

    let file = tracks.join("small.mp4");
    let path = file.display().to_string();
    let mut arguments = vec!["render", &started.id, "--output", &path];
    arguments.extend(["--width", "640", "--height", "360"]);
    let rendered = run(&tapedeck, &arguments);
    assert!(rendered.status.success(), "{}", error_of(&rendered));
    let said = String::from_utf8_lossy(&rendered.stdout).into_owned();
    assert!(said.contains("640×360"), "{said}");
    assert!((duration_of(&file) - end).abs() < 1.5);

    // A server leaves it alone, says so, and is not disturbed.
    tapedeck.run().await;
    assert!(
        tapedeck.log().contains("tapedeck recover --list"),
        "{}",
        tapedeck.log()
    );
    let refused = run(&tapedeck, &["recover", &started.id]);
    assert!(!refused.status.success());
    assert!(error_of(&refused).contains("another server uses it: process"));
    tapedeck.terminate();
    let adopted = run(&tapedeck, &["recover"]);
    assert!(adopted.status.success(), "{}", error_of(&adopted));

    tapedeck.run().await;
    let ended = tapedeck.wait_for_end(&started.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    assert_eq!(ended["roomName"], "studio", "{ended}");
    assert_eq!(ended["source"], "whip", "{ended}");
    assert_eq!(ended["warnings"][0]["code"], "adopted", "{ended}");
    let pauses = ended["pauses"].as_array().map(Vec::len);
    assert_eq!(pauses, Some(1), "the log tells of it: {ended}");
    let listed = tapedeck.listed(&started.id).await.expect("it is listed");
    let file = tapedeck.file(&listed.name);
    let found = Findings::of(&file, &grid(1));
    assert!((found.duration() - end).abs() < 1.5);
    found.assert_heard(&PublisherOptions::new(0), 1.0, end - 1.0, 1);
    found.assert_seen(0, 1.0, end - 1.0, 1);
    let checked = run(&tapedeck, &["check", "--json"]);
    assert!(checked.status.success(), "{}", answer(&checked));

    // A bit that flips on the store's disk.
    let mut content = fs::read(&file).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&file, &content).unwrap();
    let checked = run(&tapedeck, &["check", "--json"]);
    assert!(!checked.status.success());
    assert_eq!(codes(&answer(&checked)), ["object"]);
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn a_recording_that_is_adopted_while_it_runs_goes_on() {
    let mut tapedeck = Tapedeck::start_alone(&[]).await;
    let publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 2.0).await;
    tapedeck.kill();
    fs::remove_file(tapedeck.work(&started.id).join("manifest.json")).unwrap();
    let adopted = run(&tapedeck, &["recover", &started.id]);
    assert!(adopted.status.success(), "{}", error_of(&adopted));
    tapedeck.run().await;
    let twice = tapedeck
        .post("/recordings/start", json!({ "roomName": "studio" }))
        .await;
    assert_eq!(twice.status, 409, "{}", twice.body);
    // A capture that is lost is started again in the room that the log tells.
    assert_eq!(tapedeck.signal_children("capture", libc::SIGKILL), 1);
    tapedeck.wait_for_restarts(&started.id, 1, "active").await;
    let back = tapedeck.position(&started);
    tapedeck.wait_until(&started, back + 3.0).await;
    let stopped = tapedeck.stop_recording("studio").await;
    assert_eq!(stopped.id, started.id);
    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    found.assert_seen(0, back + 1.5, back + 2.5, 1);
    drop(publisher);
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn a_damaged_index_is_moved_aside_and_made_anew() {
    let mut tapedeck = Tapedeck::start_alone(&[]).await;
    let _publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 1.5).await;
    tapedeck.stop_recording("studio").await;
    tapedeck.terminate();
    assert!(run(&tapedeck, &["check"]).status.success());
    let index = tapedeck.data().join("index");
    for name in ["db", "conf"] {
        fs::write(index.join(name), vec![0xA5; 100_000]).unwrap();
    }
    // A server that was killed while it removed a recording leaves a socket.
    let socket = tapedeck.data().join("run/abcdefghijkl-c.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
    let checked = answer(&run(&tapedeck, &["check", "--json"]));
    assert_eq!(codes(&checked), ["index", "socket"], "{checked}");
    assert!(socket.exists(), "only told");
    let repaired = answer(&run(&tapedeck, &["check", "--json", "--repair"]));
    for code in ["index", "socket"] {
        assert_eq!(finding(&repaired, code)["repaired"], true, "{repaired}");
    }
    assert!(!socket.exists() && index.with_extension("damaged-1").exists());
    let checked = run(&tapedeck, &["check", "--json"]);
    assert!(checked.status.success(), "{}", answer(&checked));

    // A server does the same by itself.
    for name in ["db", "conf"] {
        fs::write(index.join(name), vec![0xA5; 100_000]).unwrap();
    }
    tapedeck.run().await;
    assert!(
        tapedeck.log().contains("index.damaged-2"),
        "{}",
        tapedeck.log()
    );
    let known = tapedeck.get("/v1/recordings").await.body;
    assert_eq!(known["recordings"][0]["id"], started.id.as_str(), "{known}");
    let list = answer(&run(&tapedeck, &["recover", "--list", "--json"]));
    assert_eq!(list["orphans"][0]["kind"], "index", "{list}");
    tapedeck.assert_nothing_left().await;
}

fn run(tapedeck: &Tapedeck, arguments: &[&str]) -> Output {
    tapedeck.command(arguments).output().expect("tapedeck runs")
}

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", error_of(output)))
}

fn codes(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    let code = |finding: &Value| finding["code"].as_str().unwrap_or_default().to_owned();
    findings.iter().map(code).collect()
}

fn finding(report: &Value, code: &str) -> Value {
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    let found = findings.into_iter().find(|finding| finding["code"] == code);
    found.unwrap_or_else(|| panic!("no {code}: {report}"))
}

/// Decodes all of a file; any error of a decoder counts.
fn assert_decodes(file: &Path) {
    let decoded = Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-i"])
        .arg(file)
        .args(["-f", "null", "-"])
        .output()
        .expect("ffmpeg runs");
    let said = error_of(&decoded);
    assert!(
        decoded.status.success() && said.is_empty(),
        "{}: {said}",
        file.display()
    );
}

/// When the last packet begins, s.
fn last_packet(file: &Path) -> f64 {
    let times = probe(file, &["-show_entries", "packet=pts_time"]);
    let times = times
        .lines()
        .filter_map(|line| line.trim_end_matches(',').parse().ok());
    times.reduce(f64::max).expect("packets")
}

fn duration_of(file: &Path) -> f64 {
    let duration = probe(file, &["-show_entries", "format=duration"]);
    duration.trim().parse().expect("a duration")
}

fn probe(file: &Path, arguments: &[&str]) -> String {
    let probed = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0"])
        .args(arguments)
        .arg(file)
        .output()
        .expect("ffprobe runs");
    String::from_utf8_lossy(&probed.stdout).into_owned()
}
