//! What child processes do with their output, tried in a process of its own.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tapedeck_pipelines::process::{init_logging, redirect_output};

/// The folder of the child process of a test below.
const FOLDER: &str = "TAPEDECK_TEST_OUTPUT_FOLDER";
const CAP_BYTES: u64 = 10_000;

/// Runs one test of this file in a child process, in `folder`.
fn run_child(test: &str, folder: &Path) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn output_goes_to_the_file_with_id_and_room() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        redirect_output(&Path::new(&folder).join("capture.log"), CAP_BYTES).unwrap();
        init_logging("EG_1", "stand-up\nroom").unwrap();
        log::info!("joined\nthe room");
        log::debug!("too much");
        // As a C library does.
        rustix::io::write(rustix::stdio::stderr(), b"critical: from below\n").unwrap();
        println!("to standard output");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("capture.log"), "earlier\n").unwrap();
    let elsewhere = run_child("output_goes_to_the_file_with_id_and_room", folder.path());
    let log = fs::read_to_string(folder.path().join("capture.log")).unwrap();
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines[0], "earlier");
    assert!(lines[1].contains("INFO"), "{log}");
    assert!(
        lines[1].ends_with("[EG_1 stand-up\u{fffd}room] joined\u{fffd}the room"),
        "{log}"
    );
    assert_eq!(lines[2..4], ["critical: from below", "to standard output"]);
    assert!(!elsewhere.contains("standard output"), "{elsewhere}");
}

#[test]
fn output_is_capped() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return flood(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let size = |name: &str| fs::metadata(folder.path().join(name)).unwrap().len();
    fs::write(
        folder.path().join("render.log"),
        vec![b'x'; 2 * CAP_BYTES as usize],
    )
    .unwrap();
    fs::write(folder.path().join("render.log.1"), "older").unwrap();
    run_child("output_is_capped", folder.path());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert!(size("render.log") <= CAP_BYTES);
    // What came before the last time that it was begun anew.
    let previous = fs::read(folder.path().join("render.log.1")).unwrap();
    assert!(previous.starts_with(b"flood"));
}

fn flood(folder: &Path) {
    let path = folder.join("render.log");
    redirect_output(&path, CAP_BYTES).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    std::io::stderr()
        .write_all(&b"flood\n".repeat(CAP_BYTES as usize))
        .unwrap();
    let patience = Instant::now() + Duration::from_secs(30);
    // For a moment there is no file.
    while fs::metadata(&path).map_or(true, |file| file.len() > CAP_BYTES) {
        assert!(Instant::now() < patience, "it was not begun anew");
        std::thread::sleep(Duration::from_millis(50));
    }
    eprintln!("goes on");
}
