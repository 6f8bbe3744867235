use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
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
                runtime.block_on(serve(listener, target, watcher));
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
    mut gate: watch::Receiver<Gate>,
) {
    let listener = TcpListener::from_std(listener).expect("a socket of the runtime");
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let now = *gate.borrow();
                if let Ok((client, _)) = accepted && now.open {
                    tokio::spawn(forward(client, target, now.generation, gate.clone()));
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
    generation: u64,
    mut gate: watch::Receiver<Gate>,
) {
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = gate.wait_for(|gate| gate.generation != generation || gate.stop) => {}
    }
}
