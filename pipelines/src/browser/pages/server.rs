//! The server for our own browser, on the loopback interface. A page has an address that nobody can
//! guess; without it there is nothing to be had.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::rooms::ids;

use super::super::arguments::content_policy;
use super::http::{Request, send_file, send_nothing, send_upgrade};
use super::socket::PageSocket;

/// After a failure to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The files of a page, by their names in its folder.
const FILES: [(&str, &str, &str); 4] = [
    (
        "",
        "text/html; charset=utf-8",
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../web/agora/page.html"
        )),
    ),
    (
        "page.js",
        JAVASCRIPT,
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../web/agora/page.js")),
    ),
    (
        "mixer.js",
        JAVASCRIPT,
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../web/agora/mixer.js"
        )),
    ),
    (
        "sender.js",
        JAVASCRIPT,
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../web/agora/sender.js"
        )),
    ),
];

/// Where pages find Agora's SDK.
const SDK: &str = "sdk.js";

/// Where pages connect to.
const SOCKET: &str = "socket";

/// Serves pages until it is dropped.
pub struct PageServer {
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    port: u16,
    policy: String,
    /// Pages that may load and have not connected yet, by the secret of their address.
    expected: Mutex<HashMap<String, Awaited>>,
}

struct Awaited {
    sdk: PathBuf,
    connected: oneshot::Sender<PageSocket>,
}

impl PageServer {
    /// Listens on a port that the system chooses. Pages may connect to `hosts`.
    ///
    /// # Errors
    /// There is no port.
    pub async fn start(hosts: &[String]) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            port,
            policy: content_policy(hosts, port),
            expected: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { shared, accepting })
    }

    /// Makes an address for one page, with Agora's SDK from the file `sdk`.
    pub fn expect(&self, sdk: PathBuf) -> Expected {
        let secret = ids::draw_session();
        let (connected, socket) = oneshot::channel();
        let awaited = Awaited { sdk, connected };
        self.shared.expected().insert(secret.clone(), awaited);
        Expected {
            shared: self.shared.clone(),
            secret,
            socket,
        }
    }
}

impl Drop for PageServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A page that has not connected yet. When this is dropped, its address is of no use any more.
pub struct Expected {
    shared: Arc<Shared>,
    secret: String,
    socket: oneshot::Receiver<PageSocket>,
}

impl Expected {
    /// Where the page is.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/{}/", self.shared.port, self.secret)
    }

    /// Waits until it has connected; none if it never will.
    pub async fn socket(&mut self) -> Option<PageSocket> {
        (&mut self.socket).await.ok()
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.shared.expected().remove(&self.secret);
    }
}

impl Shared {
    fn expected(&self) -> MutexGuard<'_, HashMap<String, Awaited>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let request = Request::read(&mut stream).await?;
        let host = format!("127.0.0.1:{}", self.port);
        let path = request.path.strip_prefix('/').unwrap_or_default();
        let (secret, name) = path.split_once('/').unwrap_or_default();
        let sdk = self.expected().get(secret).map(|page| page.sdk.clone());
        // A name that resolves to this machine must not make other sites' pages ours.
        let Some(sdk) = sdk.filter(|_| request.header("host") == Some(&host)) else {
            return send_nothing(&mut stream).await;
        };
        if name == SOCKET {
            return self.connect(stream, &request, secret).await;
        }
        if name == SDK {
            let content = tokio::fs::read(&sdk).await?;
            return send_file(&mut stream, JAVASCRIPT, &self.policy, &content).await;
        }
        match FILES.iter().find(|(known, ..)| *known == name) {
            Some((_, media_type, content)) => {
                send_file(&mut stream, media_type, &self.policy, content.as_bytes()).await
            }
            None => send_nothing(&mut stream).await,
        }
    }

    async fn connect(
        &self,
        mut stream: TcpStream,
        request: &Request,
        secret: &str,
    ) -> io::Result<()> {
        let origin = format!("http://127.0.0.1:{}", self.port);
        let key = request
            .header("sec-websocket-key")
            .filter(|_| request.header("origin") == Some(&origin));
        let (Some(key), Some(awaited)) = (key, self.expected().remove(secret)) else {
            return send_nothing(&mut stream).await;
        };
        send_upgrade(&mut stream, &derive_accept_key(key.as_bytes())).await?;
        let socket = PageSocket::new(stream).await;
        // Whoever expected it may have given up.
        let _ = awaited.connected.send(socket);
        Ok(())
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = shared.clone();
                tokio::spawn(async move {
                    if let Err(error) = shared.serve(stream).await {
                        log::debug!("a page was not served: {error}");
                    }
                });
            }
            Err(error) => {
                log::warn!("cannot accept a connection of the browser: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
