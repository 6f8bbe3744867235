use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a proxy does with connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gate {
    /// Connections of an earlier generation are cut.
    generation: u64,
    open: bool,
    stop: bool,
}

/// What the server says is replaced by as many other bytes. A text that arrives in two pieces is
/// missed; messages of a few hundred bytes arrive whole.
#[derive(Clone, Debug)]
struct Rewriting {
    from: Vec<u8>,
    to: Vec<u8>,
}

/// An address whose connections lead to another and can be cut. Runs on a thread of its own; ends
/// when dropped.
pub struct TcpProxy {
    /// Where it listens.
    pub address: SocketAddr,
    gate: Arc<watch::Sender<Gate>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl TcpProxy {
    /// A proxy for `127.0.0.1:port`.
    ///
    /// # Panics
    /// No port is free.
    pub fn start(port: u16) -> Self {
        Self::start_with(port, None)
    }

    /// A proxy that replaces one text by another in what the server says.
    ///
    /// # Panics
    /// No port is free, or the texts differ in length.
    pub fn start_rewriting(port: u16, from: &str, to: &str) -> Self {
        assert_eq!(from.len(), to.len(), "messages keep their length");
        let rewriting = Rewriting {
            from: from.into(),
            to: to.into(),
        };
        Self::start_with(port, Some(rewriting))
    }

    fn start_with(port: u16, rewriting: Option<Rewriting>) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener
            .set_nonblocking(true)
            .expect("a socket that does not block");
        let address = listener.local_addr().expect("an address");
        let (gate, watcher) = watch::channel(Gate {
            generation: 0,
            open: true,
            stop: false,
        });
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let thread = std::thread::Builder::new()
            .name("tcp-proxy".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(serve(listener, target, rewriting, watcher));
                runtime.shutdown_timeout(Duration::ZERO);
            })
            .expect("a thread");
        Self {
            address,
            gate: Arc::new(gate),
            thread: Some(thread),
        }
    }

    /// `ws://…` of the proxy.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Cuts all connections; new ones are let through.
    pub fn cut(&self) {
        self.gate.send_modify(|gate| gate.generation += 1);
    }

    /// Cuts all connections and refuses new ones until [`TcpProxy::open`].
    pub fn close(&self) {
        self.gate.send_modify(|gate| {
            gate.generation += 1;
            gate.open = false;
        });
    }

    /// Lets connections through again.
    pub fn open(&self) {
        self.gate.send_modify(|gate| gate.open = true);
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.gate.send_modify(|gate| gate.stop = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    target: SocketAddr,
    rewriting: Option<Rewriting>,
    mut gate: watch::Receiver<Gate>,
) {
    let listener = TcpListener::from_std(listener).expect("a socket of the runtime");
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let now = *gate.borrow();
                if let Ok((client, _)) = accepted && now.open {
                    let rewriting = rewriting.clone();
                    tokio::spawn(forward(client, target, rewriting, now.generation, gate.clone()));
                }
            }
            changed = gate.changed() => {
                if changed.is_err() || gate.borrow().stop {
                    return;
                }
            }
        }
    }
}

async fn forward(
    mut client: TcpStream,
    target: SocketAddr,
    rewriting: Option<Rewriting>,
    generation: u64,
    mut gate: watch::Receiver<Gate>,
) {
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    let carried = async {
        match rewriting {
            Some(rewriting) => rewriting.carry(client, server).await,
            None => drop(copy_bidirectional(&mut client, &mut server).await),
        }
    };
    tokio::select! {
        () = carried => {}
        _ = gate.wait_for(|gate| gate.generation != generation || gate.stop) => {}
    }
}

impl Rewriting {
    async fn carry(&self, client: TcpStream, server: TcpStream) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let answers = async {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
                self.apply(&mut buffer[..length]);
                if to_client.write_all(&buffer[..length]).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            () = answers => {}
            _ = copy(&mut from_client, &mut to_server) => {}
        }
    }

    fn apply(&self, said: &mut [u8]) {
        let length = self.from.len();
        for at in 0..said.len().saturating_sub(length - 1) {
            if said[at..at + length] == self.from {
                said[at..at + length].copy_from_slice(&self.to);
            }
        }
    }
}
