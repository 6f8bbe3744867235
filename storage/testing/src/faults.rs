//! A proxy before a store that spoils requests: it cuts, delays, refuses, truncates and lies.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// No head of a request is longer, bytes.
const LONGEST_HEAD: usize = 64 << 10;

/// What is done to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// So many bytes of its body reach the store, then all connections are cut.
    CutRequest(usize),
    /// The store answers, so many bytes of the answer come back.
    CutAnswer(usize),
    /// It reaches the store so much later.
    Delay(Duration),
    /// It does not reach the store; this status comes back, with a code as S3 gives one.
    Answer(u16, &'static str),
    /// It does not reach the store, and success comes back.
    Lie,
}

/// Which requests are spoilt.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Methods, such as `PUT`.
    pub methods: &'static [&'static str],
    /// What the path and query hold; empty for any.
    pub target: &'static str,
    pub fault: Fault,
    /// How many such requests go through first.
    pub after: usize,
    /// How many are spoilt.
    pub times: usize,
}

impl Rule {
    /// All requests of these methods, from now on.
    pub fn always(methods: &'static [&'static str], fault: Fault) -> Self {
        Self {
            methods,
            target: "",
            fault,
            after: 0,
            times: usize::MAX,
        }
    }

    /// Only requests for paths and queries that hold `target`.
    pub fn to(self, target: &'static str) -> Self {
        Self { target, ..self }
    }

    /// Lets so many through first.
    pub fn after(self, after: usize) -> Self {
        Self { after, ..self }
    }

    /// Ends after so many.
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    fn applies(&mut self, method: &str, target: &str) -> bool {
        if !self.methods.contains(&method) || !target.contains(self.target) || self.times == 0 {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    /// Requests that were spoilt.
    spoilt: usize,
}

/// An address that leads to a store. Runs on a thread of its own; ends when dropped.
pub struct FaultProxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl FaultProxy {
    /// A proxy for a store at `http://127.0.0.1:PORT`.
    ///
    /// # Panics
    /// No port is free, or the endpoint has no port.
    pub fn start(endpoint: &str) -> Self {
        let port = endpoint.rsplit(':').next().unwrap_or_default();
        let port = port.trim_end_matches('/').parse().expect("a port");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let state = Arc::<Mutex<State>>::default();
        let (stop, stopped) = watch::channel(false);
        let rules = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(serve(listener, port, rules, stopped));
            runtime.shutdown_timeout(Duration::ZERO);
        });
        Self {
            address,
            state,
            stop,
            thread: Some(thread),
        }
    }

    /// `http://…` of the proxy.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Spoils requests; of several rules the first that fits.
    pub fn spoil(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    /// Passes everything on, and tells how many requests were spoilt since the last time.
    pub fn heal(&self) -> usize {
        let mut state = self.state();
        state.rules.clear();
        std::mem::take(&mut state.spoilt)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    port: u16,
    state: Arc<Mutex<State>>,
    mut stopped: watch::Receiver<bool>,
) {
    let listener = TcpListener::from_std(listener).expect("a socket of the runtime");
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    // An error is a connection that is cut, which is what it looks like to the client.
                    tokio::spawn(carry(client, port, Arc::clone(&state)));
                }
            }
            _ = stopped.changed() => return,
        }
    }
}

/// One request: its connection ends with the answer.
async fn carry(mut client: TcpStream, port: u16, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    let end = loop {
        if let Some(at) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        if head.len() > LONGEST_HEAD || client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    };
    let begun = head.split_off(end);
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.split_whitespace();
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let fault = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rules = state.rules.iter_mut();
        let rule = rules.find_map(|rule| rule.applies(method, target).then(|| rule.fault.clone()));
        state.spoilt += usize::from(rule.is_some());
        rule
    };
    let length = content_length(&text);
    match fault {
        Some(Fault::Answer(status, code)) => {
            discard(&mut client, length - begun.len().min(length)).await?;
            let body = format!("<Error><Code>{code}</Code></Error>");
            return answer(&mut client, method, status, "", &body).await;
        }
        Some(Fault::Lie) => {
            discard(&mut client, length - begun.len().min(length)).await?;
            let status = if method == "DELETE" { 204 } else { 200 };
            // What a client that completes an upload looks for.
            let body = match method {
                "POST" => {
                    "<CompleteMultipartUploadResult><ETag>\"lie\"</ETag></CompleteMultipartUploadResult>"
                }
                _ => "",
            };
            return answer(&mut client, method, status, "etag: \"lie\"\r\n", body).await;
        }
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    // The answer ends with the connection, whatever its form.
    let head = text.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    server.write_all(head.as_bytes()).await?;
    let most = match fault {
        Some(Fault::CutRequest(most)) => most.min(length),
        _ => length,
    };
    let begun = &begun[..begun.len().min(most)];
    server.write_all(begun).await?;
    let mut left = most - begun.len();
    let mut buffer = vec![0; 64 << 10];
    let (mut from_server, mut to_server) = server.into_split();
    let (mut from_client, mut to_client) = client.into_split();
    let cut_answer = match fault {
        Some(Fault::CutAnswer(most)) => most,
        _ => usize::MAX,
    };
    let is_cut = matches!(fault, Some(Fault::CutRequest(_)));
    let request = async {
        while left > 0 {
            let read = from_client.read(&mut buffer).await?;
            if read == 0 {
                break;
            }
            let now = read.min(left);
            to_server.write_all(&buffer[..now]).await?;
            left -= now;
        }
        if is_cut {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        // Only the answer ends it.
        std::future::pending::<std::io::Result<()>>().await
    };
    let response = async {
        let mut left = cut_answer;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = from_server.read(&mut buffer).await?;
            if read == 0 {
                return to_client.shutdown().await;
            }
            let now = read.min(left);
            to_client.write_all(&buffer[..now]).await?;
            left -= now;
            if left == 0 {
                return Ok(());
            }
        }
    };
    tokio::select! {
        result = request => result,
        result = response => result,
    }
}

async fn answer(
    client: &mut TcpStream,
    method: &str,
    status: u16,
    headers: &str,
    body: &str,
) -> std::io::Result<()> {
    let length = body.len();
    let body = if method == "HEAD" { "" } else { body };
    let text = format!(
        "HTTP/1.1 {status} spoilt\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    client.write_all(text.as_bytes()).await?;
    client.shutdown().await
}

async fn discard(client: &mut TcpStream, mut length: usize) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    while length > 0 {
        let read = client.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        length -= read.min(length);
    }
    Ok(())
}

fn content_length(head: &str) -> usize {
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    length
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}
