//! A render that gets hardly any CPU: it falls behind and says so, capture does not notice, and in
//! the end all is in the file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use harness::findings::{Findings, grid};
use harness::publisher::{PublisherOptions, whip};
use harness::tapedeck::Tapedeck;
use serde_json::{Value, json};

/// Lets a process run for a small share of the time only, until it is dropped: what a busy machine
/// does to it, without making this one busy.
struct Throttle {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Throttle {
    fn of(pid: i32) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let ended = end.clone();
        let signal = move |signal: i32| {
            // SAFETY: a plain system call; the process belongs to this test.
            unsafe { libc::kill(pid, signal) };
        };
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                signal(libc::SIGSTOP);
                std::thread::sleep(Duration::from_millis(498));
                signal(libc::SIGCONT);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self {
            end,
            thread: Some(thread),
        }
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The `nice` value of a process.
fn nice(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("fields");
    // The 19th, counted from 3 behind the name (proc(5)).
    let nice = fields.split(' ').nth(16).expect("nice");
    nice.parse().expect("a number")
}

async fn lag_ms(tapedeck: &Tapedeck, id: &str) -> (u64, u64) {
    let status: Value = tapedeck.get(&format!("/status/{id}")).await.body;
    let recording = tapedeck.recording(id).await;
    let told = |lag: &Value| lag.as_u64().unwrap_or_else(|| panic!("no lag: {status}"));
    (
        told(&status["render"]["lagMs"]),
        told(&recording["renderLagMs"]),
    )
}

#[tokio::test]
async fn a_render_without_cpu_falls_behind_says_so_and_catches_up() {
    let variables = [("TAPEDECK_RECORDING_STOP_TIMEOUT_S", "1")];
    let tapedeck = Tapedeck::start_alone(&variables).await;
    let publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 3.0).await;
    let [render] = tapedeck.children("render")[..] else {
        panic!("there is not one render");
    };
    let [capture] = tapedeck.children("capture")[..] else {
        panic!("there is not one capture");
    };
    assert!(
        nice(render) > nice(capture),
        "capture goes before the render"
    );

    let throttle = Throttle::of(render);
    tapedeck.wait_until(&started, 12.0).await;
    let (status, recording) = lag_ms(&tapedeck, &started.id).await;
    println!("behind by {status} ms");
    assert!((3_000..13_000).contains(&status), "{status} ms");
    assert!(recording.abs_diff(status) < 2_000, "{recording} ms");
    let end = tapedeck.position(&started);
    let stopped = tapedeck
        .post("/recordings/stop", json!({ "roomName": "studio" }))
        .await;
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    let pending = &stopped.body["recording"]["pending"];
    assert!(
        pending["renderLag"].as_f64().is_some_and(|lag| lag > 2.0),
        "{}",
        stopped.body
    );
    assert_eq!(stopped.body["recording"]["status"], "ending");

    drop(throttle);
    let ended = tapedeck.wait_for_end(&started.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    assert_eq!(ended["gaps"], json!([]), "capture noticed nothing: {ended}");
    assert_eq!(ended["restarts"]["render"], 0, "{ended}");
    let found = Findings::of(&tapedeck.file(&started.name), &grid(1));
    assert!((found.duration() - end).abs() < 0.7, "{}", found.duration());
    found.assert_seen(0, 1.5, end - 0.5, 1);
    found.assert_heard(&publisher.options, 1.0, end - 0.5, 1);
    found.assert_in_sync(0, &publisher.options, 1.5);
    drop(publisher);
    tapedeck.assert_nothing_left().await;
}
