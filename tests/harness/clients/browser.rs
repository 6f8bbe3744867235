//! A browser driven by Chromium's DevTools protocol over a pipe
//! (<https://chromedevtools.github.io/devtools-protocol/>): commands on its descriptor 3, answers
//! and events on 4, each a JSON text that ends with a zero byte.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use rustix::io::fcntl_dupfd_cloexec;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::chromium::{FLAGS, program};
use crate::children::Process;

/// How long the browser may take to carry out a command.
const PATIENCE: Duration = Duration::from_secs(60);

type Answers = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;
type Log = Arc<Mutex<Vec<String>>>;

/// A browser without pages yet; it and its processes end when dropped.
pub struct Browser {
    process: Process,
    folder: TempDir,
    commands: Mutex<File>,
    answers: Answers,
    log: Log,
    next_id: AtomicU64,
}

impl Browser {
    /// Starts a browser with further flags.
    ///
    /// # Panics
    /// It is missing (the message says how to get it) or does not start.
    pub fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (theirs_in, ours_out) = pipe();
        let (ours_in, theirs_out) = pipe();
        let mut command = Command::new(program());
        command
            .args(FLAGS)
            .args(flags)
            .arg("--remote-debugging-pipe")
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .arg("about:blank");
        hand_over(&mut command, [&theirs_in, &theirs_out]);
        let process =
            Process::start("chromium", command, &folder.path().join("log")).expect("chromium runs");
        let (answers, log) = (Answers::default(), Log::default());
        let (waiting, said) = (answers.clone(), log.clone());
        std::thread::spawn(move || read(File::from(ours_in), &waiting, &said));
        Self {
            process,
            folder,
            commands: Mutex::new(File::from(ours_out)),
            answers,
            log,
            next_id: AtomicU64::new(1),
        }
    }

    /// Opens an address in a tab of its own.
    ///
    /// # Panics
    /// The browser does not do what it is told.
    pub async fn open(&self, address: &str) -> Tab<'_> {
        let about = json!({ "url": "about:blank" });
        let target = self.command(None, "Target.createTarget", about).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.command(None, "Target.attachToTarget", attach).await;
        let session = attached["sessionId"].as_str().unwrap_or_default();
        let tab = Tab {
            browser: self,
            session: session.to_owned(),
        };
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            tab.command(domain, json!({})).await;
        }
        tab.command("Page.navigate", json!({ "url": address }))
            .await;
        tab
    }

    async fn command(&self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut command = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = session {
            command["sessionId"] = json!(session);
        }
        let (sender, answer) = oneshot::channel();
        lock(&self.answers).insert(id, sender);
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        lock(&self.commands)
            .write_all(&bytes)
            .expect("the browser listens");
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let answer = answer
            .unwrap_or_else(|_| panic!("the browser does not answer {method}"))
            .unwrap_or_else(|_| panic!("the browser has ended"));
        let error = &answer["error"];
        assert!(error.is_null(), "the browser refuses {method}: {error}");
        answer["result"].clone()
    }

    /// What pages wrote to their consoles, and what the browser says of them.
    pub fn log(&self) -> Vec<String> {
        lock(&self.log).clone()
    }

    /// Checks that no script of a page failed. What a page does against its policies is found when
    /// the browser ends.
    ///
    /// # Panics
    /// One did.
    pub fn assert_no_exceptions(&self) {
        let mut lines = self.log();
        lines.retain(|line| line.starts_with("exception"));
        assert!(lines.is_empty(), "{lines:#?}");
    }
}

/// What Chromium's console says when a page does what its server forbids.
const POLICIES: [&str; 2] = ["Content Security Policy", "Permissions policy violation"];

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the browser's console ---\n{}", self.log().join("\n"));
        }
        // Asked kindly first, so that it ends its own children.
        self.process.signal(libc::SIGTERM);
        for _ in 0..100 {
            if self.process.ended().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        crate::children::kill_all_naming(&self.folder.path().display().to_string());
        let violations: Vec<String> = (self.log().into_iter())
            .filter(|line| POLICIES.iter().any(|policy| line.contains(policy)))
            .collect();
        if !std::thread::panicking() {
            assert!(
                violations.is_empty(),
                "pages break our own policy: {violations:#?}"
            );
        }
    }
}

/// A tab of a [`Browser`].
pub struct Tab<'a> {
    browser: &'a Browser,
    session: String,
}

impl Tab<'_> {
    async fn command(&self, method: &str, parameters: Value) -> Value {
        let session = Some(self.session.as_str());
        self.browser.command(session, method, parameters).await
    }

    /// The value of a JavaScript expression; promises are waited for.
    ///
    /// # Panics
    /// It throws.
    pub async fn evaluate(&self, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        let answer = self.command("Runtime.evaluate", parameters).await;
        let exception = &answer["exceptionDetails"];
        assert!(exception.is_null(), "{expression}: {exception}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true, and returns its value.
    ///
    /// # Panics
    /// It is not in time; the message says what the page shows instead.
    pub async fn until(&self, expression: &str, limit: Duration) -> Value {
        // Until the page is loaded nothing is there to look at.
        let guarded = format!("(() => {{ try {{ return {expression} }} catch {{ }} }})()");
        let deadline = Instant::now() + limit;
        loop {
            let value = self.evaluate(&guarded).await;
            let holds = !matches!(value, Value::Null | Value::Bool(false)) && value != json!("");
            if holds {
                return value;
            }
            if Instant::now() >= deadline {
                let shown = self.text("body").await;
                panic!("not within {limit:?}: {expression}; the page shows:\n{shown}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The visible text of the first element that a CSS selector finds; empty if none.
    pub async fn text(&self, selector: &str) -> String {
        let expression = format!(
            "document.querySelector({})?.innerText ?? ''",
            json!(selector)
        );
        let text = self.evaluate(&expression).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the visible text of an element contains `wanted`.
    pub async fn wait_for_text(&self, selector: &str, wanted: &str, limit: Duration) {
        let expression = format!(
            "document.querySelector({}).innerText.includes({})",
            json!(selector),
            json!(wanted)
        );
        self.until(&expression, limit).await;
    }

    /// Clicks, when it is there, the button or else the link that shows exactly this text.
    pub async fn click(&self, text: &str) {
        let expression = format!(
            "(() => {{ const found = [...document.querySelectorAll('button'), \
             ...document.querySelectorAll('a')].find((one) => \
             !one.disabled && one.offsetParent && one.innerText.trim() === {}); \
             found.click(); return true; }})()",
            json!(text)
        );
        self.until(&expression, Duration::from_secs(20)).await;
    }

    /// Loads the page anew.
    pub async fn reload(&self) {
        self.command("Page.reload", json!({})).await;
    }

    /// Gives the page a window of this size and the colours of a light or dark desktop.
    pub async fn look_like(&self, width: u32, height: u32, scheme: &str) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1,
            // Else a scroll bar takes a part of it.
            "mobile": width < 600,
        });
        self.command("Emulation.setDeviceMetricsOverride", size)
            .await;
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        let media = json!({ "features": [feature] });
        self.command("Emulation.setEmulatedMedia", media).await;
    }

    /// Presses a key with nothing but its name, such as `Tab` or `Enter`.
    pub async fn press(&self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            " " => (32, " "),
            _ => panic!("no such key: {key}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
            });
            self.command("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Writes text where the focus is.
    pub async fn write(&self, text: &str) {
        self.command("Input.insertText", json!({ "text": text }))
            .await;
    }

    /// Moves the focus by the Tab key to the element that is called `wanted`, which may be about to
    /// appear.
    ///
    /// # Panics
    /// It is not reached.
    pub async fn tab_to(&self, wanted: &str) {
        let name = "(() => { const one = document.activeElement; \
            return one.ariaLabel || one.labels?.[0]?.innerText.trim() || one.innerText?.trim() })()";
        let give_up_at = Instant::now() + Duration::from_secs(20);
        while Instant::now() < give_up_at {
            self.press("Tab").await;
            if self.evaluate(name).await == json!(wanted) {
                return;
            }
        }
        panic!("{wanted} cannot be reached by the Tab key");
    }

    /// Keeps a picture of the whole page for looking at by hand, if `TEST_PICTURES` names a folder.
    pub async fn keep_picture(&self, name: &str) {
        let Ok(folder) = std::env::var("TEST_PICTURES") else {
            return;
        };
        let picture = self.picture().await;
        let picture = base64::engine::general_purpose::STANDARD.decode(picture);
        let path = std::path::Path::new(&folder).join(format!("{name}.png"));
        std::fs::write(path, picture.expect("base64")).expect("the folder of pictures is there");
    }

    /// PNG in base64.
    async fn picture(&self) -> String {
        let parameters = json!({ "format": "png", "captureBeyondViewport": true });
        let answer = self.command("Page.captureScreenshot", parameters).await;
        answer["data"].as_str().unwrap_or_default().to_owned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads answers and events until the browser ends.
fn read(pipe: File, answers: &Answers, log: &Log) {
    let mut pipe = BufReader::new(pipe);
    let mut message = Vec::new();
    while pipe
        .read_until(0, &mut message)
        .is_ok_and(|length| length > 0)
    {
        message.pop();
        let value: Value = serde_json::from_slice(&message).unwrap_or_default();
        message.clear();
        if let Some(id) = value["id"].as_u64() {
            if let Some(waiting) = lock(answers).remove(&id) {
                let _ = waiting.send(value);
            }
        } else if let Some(line) = console_line(&value) {
            lock(log).push(line);
        }
    }
    lock(answers).clear();
}

fn console_line(event: &Value) -> Option<String> {
    let parameters = &event["params"];
    match event["method"].as_str()? {
        "Runtime.consoleAPICalled" => {
            let arguments = parameters["args"].as_array()?;
            let words = arguments.iter().map(|one| one["value"].to_string());
            Some(words.collect::<Vec<_>>().join(" "))
        }
        "Runtime.exceptionThrown" => {
            let details = &parameters["exceptionDetails"];
            Some(format!(
                "exception: {}",
                details["exception"]["description"]
            ))
        }
        "Log.entryAdded" => {
            let entry = &parameters["entry"];
            Some(format!("{}: {}", entry["text"], entry["url"]))
        }
        _ => None,
    }
}

/// A pipe, its reading end first. The ends lie above the descriptors that the browser expects, so
/// that giving these to it cannot close one of them.
fn pipe() -> (OwnedFd, OwnedFd) {
    let (reading, writing) = rustix::pipe::pipe().expect("a pipe");
    let above = |end: OwnedFd| fcntl_dupfd_cloexec(end, 10).expect("a descriptor");
    (above(reading), above(writing))
}

/// Makes `ends` the descriptors 3 and 4 of the program.
fn hand_over(command: &mut Command, ends: [&OwnedFd; 2]) {
    let ends: [RawFd; 2] = ends.map(|end| end.as_raw_fd());
    // SAFETY: dup2 is async-signal-safe and touches no memory of ours; the ends are open until the
    // program was started.
    unsafe {
        command.pre_exec(move || {
            for (end, place) in ends.into_iter().zip([3, 4]) {
                if libc::dup2(end, place) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
}
