use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::net::UdpSocket;

use crate::livekit::{Livekit, PROXY_IP};

/// What happens to packets, in both directions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Impairment {
    /// Share of packets that are lost, 0 to 1.
    pub loss: f64,
    /// Share of packets that come late, behind their successors, 0 to 1.
    pub reorder: f64,
    /// Nothing passes at all.
    pub blocked: bool,
}

/// How late a reordered packet is.
const REORDER_DELAY: Duration = Duration::from_millis(25);

/// Stands between the announced media address of a server and the server. Losses are drawn from a
/// fixed seed. Runs on a thread of its own; ends when dropped.
pub struct UdpProxy {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    impairment: Mutex<Impairment>,
    random: Mutex<StdRng>,
    forwarded: AtomicU64,
    lost: AtomicU64,
    stop: AtomicBool,
}

impl UdpProxy {
    /// A proxy in front of `livekit`, which must have been started `behind_proxy`.
    ///
    /// # Panics
    /// The announced address cannot be bound.
    pub fn start(livekit: &Livekit, seed: u64) -> Self {
        let ip: Ipv4Addr = PROXY_IP.parse().expect("an address");
        let front = std::net::UdpSocket::bind((ip, livekit.media_port)).expect("the proxy's port");
        front
            .set_nonblocking(true)
            .expect("a socket that does not block");
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, livekit.media_port));
        let shared = Arc::new(Shared {
            impairment: Mutex::default(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            forwarded: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let thread = std::thread::Builder::new()
            .name("udp-proxy".into())
            .spawn({
                let shared = shared.clone();
                move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .expect("a runtime");
                    runtime.block_on(serve(front, server, shared));
                }
            })
            .expect("a thread");
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// Changes what happens to packets from now on.
    pub fn impair(&self, impairment: Impairment) {
        *lock(&self.shared.impairment) = impairment;
    }

    /// Packets that passed.
    pub fn forwarded(&self) -> u64 {
        self.shared.forwarded.load(Ordering::Relaxed)
    }

    /// Packets that were lost.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

impl Drop for UdpProxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What becomes of one packet.
enum Fate {
    Pass,
    Late,
    Lost,
}

impl Shared {
    fn fate(&self) -> Fate {
        let impairment = *lock(&self.impairment);
        let mut random = lock(&self.random);
        let (loss, reorder): (f64, f64) = (random.random(), random.random());
        if impairment.blocked || loss < impairment.loss {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return Fate::Lost;
        }
        self.forwarded.fetch_add(1, Ordering::Relaxed);
        if reorder < impairment.reorder {
            Fate::Late
        } else {
            Fate::Pass
        }
    }

    async fn forward(&self, socket: &Arc<UdpSocket>, packet: &[u8], to: SocketAddr) {
        match self.fate() {
            Fate::Lost => {}
            Fate::Pass => {
                let _ = socket.send_to(packet, to).await;
            }
            Fate::Late => {
                let (socket, packet) = (socket.clone(), packet.to_vec());
                tokio::spawn(async move {
                    tokio::time::sleep(REORDER_DELAY).await;
                    let _ = socket.send_to(&packet, to).await;
                });
            }
        }
    }
}

async fn serve(front: std::net::UdpSocket, server: SocketAddr, shared: Arc<Shared>) {
    let front = Arc::new(UdpSocket::from_std(front).expect("a socket of the runtime"));
    // One socket per client, so that the server can tell them apart.
    let mut clients: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut buffer = vec![0; 2_048];
    while !shared.stop.load(Ordering::Relaxed) {
        let received =
            tokio::time::timeout(Duration::from_millis(100), front.recv_from(&mut buffer)).await;
        let Ok(Ok((length, client))) = received else {
            continue;
        };
        let back = match clients.get(&client) {
            Some(back) => back.clone(),
            None => {
                let Ok(back) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await else {
                    continue;
                };
                let back = Arc::new(back);
                tokio::spawn(bring_back(
                    back.clone(),
                    front.clone(),
                    client,
                    shared.clone(),
                ));
                clients.insert(client, back.clone());
                back
            }
        };
        shared.forward(&back, &buffer[..length], server).await;
    }
}

async fn bring_back(
    back: Arc<UdpSocket>,
    front: Arc<UdpSocket>,
    client: SocketAddr,
    shared: Arc<Shared>,
) {
    let mut buffer = vec![0; 2_048];
    loop {
        let Ok((length, _)) = back.recv_from(&mut buffer).await else {
            continue;
        };
        shared.forward(&front, &buffer[..length], client).await;
    }
}
