//! `tapedeck demo`, as somebody runs it who has just built it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::findings::{Findings, grid};
use harness::tapedeck;

fn demo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = tapedeck::command();
    command
        .current_dir(folder)
        .env("TMPDIR", folder.join("tmp"))
        .arg("demo")
        .args(arguments)
        .stdin(Stdio::null());
    std::fs::create_dir_all(folder.join("tmp")).expect("a folder");
    command
}

/// Processes that hold a file in a folder open, or work in it.
fn left_behind(folder: &Path) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    processes
        .filter(|process| {
            let descriptors = std::fs::read_dir(process.path().join("fd"));
            let links = descriptors.into_iter().flatten().flatten();
            let mut links = links
                .map(|link| link.path())
                .chain([process.path().join("cwd")]);
            links.any(|link| std::fs::read_link(link).is_ok_and(|to| to.starts_with(folder)))
        })
        .map(|process| {
            let arguments = std::fs::read(process.path().join("cmdline"));
            String::from_utf8_lossy(&arguments.unwrap_or_default()).into_owned()
        })
        .filter(|arguments| !arguments.is_empty())
        .collect()
}

fn is_empty(folder: &Path) -> bool {
    let mut entries = std::fs::read_dir(folder).expect("a folder");
    entries.next().is_none()
}

#[test]
fn demo_records_checks_and_tells() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = folder.path().join("tapedeck-demo.mp4");
    std::fs::write(&taken, "not to be overwritten").expect("a file");
    let begun = Instant::now();
    let output = demo(folder.path(), &["--seconds", "6"])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert_eq!(errors, "");
    println!("it took {:.1} s", begun.elapsed().as_secs_f64());
    for word in [
        "It works",
        "1280x720",
        "Alice",
        "Bob",
        "rooms",
        "capture",
        "render",
        "tapedeck-demo-2.mp4",
        "/publish",
    ] {
        assert!(said.contains(word), "{word} is not told");
    }
    let kept = std::fs::read(&taken).expect("the other file");
    assert_eq!(kept, b"not to be overwritten");

    // ffmpeg sees what the demo saw.
    let found = Findings::of(&folder.path().join("tapedeck-demo-2.mp4"), &grid(2));
    assert!((5.5..9.0).contains(&found.duration()));
    for place in 0..2 {
        found.assert_seen(place, 1.5, 6.0, 1);
    }
    assert!(is_empty(&folder.path().join("tmp")), "data was left");
    assert_eq!(left_behind(folder.path()), Vec::<String>::new());
}

#[test]
fn interrupted_demo_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = demo(folder.path(), &["--seconds", "60", "--output", "mine.mp4"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    // Until it records.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !left_behind(folder.path())
        .iter()
        .any(|arguments| arguments.contains("render"))
    {
        assert!(Instant::now() < deadline, "it does not record");
        std::thread::sleep(Duration::from_millis(100));
    }
    // SAFETY: a plain system call; the child is not reaped before.
    unsafe {
        libc::kill(child.id() as i32, libc::SIGINT);
    }
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(1));
    assert!(!folder.path().join("mine.mp4").exists());
    assert!(is_empty(&folder.path().join("tmp")), "data was left");
    assert_eq!(left_behind(folder.path()), Vec::<String>::new());
}

#[test]
fn demo_says_what_keeps_it_from_working() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = folder.path().join("mine.mp4");
    std::fs::write(&taken, "mine").expect("a file");
    let missing = folder
        .path()
        .join("no/such/folder.mp4")
        .display()
        .to_string();
    for (arguments, expected) in [
        (["--output", "mine.mp4"], "exists already"),
        (["--output", missing.as_str()], "--output"),
        (["--keep", "mine.mp4"], "--keep"),
    ] {
        let output = demo(folder.path(), &arguments).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(expected), "{errors}");
        assert!(errors.starts_with("error: "), "{errors}");
    }
    assert_eq!(std::fs::read(&taken).expect("the file"), b"mine");
}
