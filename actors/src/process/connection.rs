//! The connection to a child.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tapedeck_pipelines::control::{ControlClient, Event};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Between two tries to connect.
pub const POLL: Duration = Duration::from_millis(50);

/// A connection to a child, and what it says there.
pub struct Connection {
    pub client: Arc<ControlClient>,
    pub events: mpsc::Receiver<Event>,
}

/// Tries until it is connected.
pub async fn connect(socket: &Path) -> Connection {
    loop {
        match ControlClient::connect(socket).await {
            Ok((client, events)) => {
                return Connection {
                    client: Arc::new(client),
                    events,
                };
            }
            Err(_) => sleep(POLL).await,
        }
    }
}
