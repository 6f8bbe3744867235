//! How others speak to the rooms process.

use std::sync::Arc;
use std::time::Duration;

use tapedeck_pipelines::control::{
    Command, CommandError, RoomStatus, RoomsSnapshot, WhipAnswer, WhipRefusal, WhipRequest,
};
use tokio::time::{sleep, timeout};

use super::actor::{Leave, NoProcess, RoomsActor, Want};
use super::shared::{Connected, Link, Shared, Status};
use crate::RoomsError;
use crate::supervision::Keeper;

/// How long a request may take, the start of the process included.
const ANSWER: Duration = Duration::from_secs(10);
/// How long to wait for what the process is just about to say.
const LOOK: Duration = Duration::from_secs(2);
/// Times that a request is put to a process that ends before it answers: it may have been about to
/// end when the request came, but it may also be the request that ends it.
const TRIES: u32 = 2;
/// The longest SDP that is passed on, bytes. Written as JSON it has at most six times as many, and
/// a line of the control protocol has 1 MiB.
const LONGEST_SDP: usize = 128 << 10;

/// A handle on the rooms process and on the actor that looks after it.
pub struct RoomsProcess {
    pub actor: Keeper<RoomsActor>,
    shared: Arc<Shared>,
}

impl RoomsProcess {
    /// Starts the actor on `arbiter`; it finds the process that is there.
    pub fn start(arbiter: actix::ArbiterHandle, shared: Arc<Shared>) -> Self {
        let outlives = shared.clone();
        let actor = Keeper::start("actor of the rooms process", arbiter, move || {
            RoomsActor::new(outlives.clone())
        });
        Self { actor, shared }
    }

    /// Puts a request to the process, which is started for [`WhipRequest::Publish`].
    ///
    /// # Errors
    /// It does not run and cannot be started, or does not answer.
    pub async fn whip(&self, request: WhipRequest) -> Result<WhipAnswer, RoomsError> {
        if let Some(refusal) = refuse_too_long(&request) {
            return Ok(refusal);
        }
        let answer = timeout(ANSWER, self.ask(request)).await;
        answer.unwrap_or(Err(RoomsError::Timeout))
    }

    async fn ask(&self, request: WhipRequest) -> Result<WhipAnswer, RoomsError> {
        // It is never closed.
        let _permit = self.shared.requests.acquire().await;
        let id = format!("{:032x}", rand::random::<u128>());
        let start = matches!(request, WhipRequest::Publish { .. });
        let mut connected = self.connect(start, None).await?;
        for tries in 1.. {
            let Some(Connected { client }) = &connected else {
                return Ok(unknown_session());
            };
            // Under the same id, so that a process which has done it answers again.
            let error = match client.whip_as(&id, request.clone(), ANSWER).await {
                Ok(answer) => return Ok(answer),
                Err(CommandError::Timeout) => return Err(RoomsError::Timeout),
                Err(error) => error,
            };
            if tries == TRIES {
                return Err(RoomsError::NotRunning(error.to_string()));
            }
            let again = self.connect(start, connected.as_ref());
            connected = match error {
                // It is about to end, or else it does not know the command.
                CommandError::Refused(_) => match timeout(LOOK, again).await {
                    Ok(again) => again?,
                    Err(_) => return Err(RoomsError::NotRunning(error.to_string())),
                },
                _ => again.await?,
            };
        }
        Err(RoomsError::Timeout)
    }

    /// A connection to the process other than `tried`; none if it does not run and is not to be
    /// started.
    async fn connect(
        &self,
        start: bool,
        tried: Option<&Connected>,
    ) -> Result<Option<Connected>, RoomsError> {
        loop {
            match self.actor.send(Want { start }).await {
                Ok(Ok(())) => {}
                Ok(Err(NoProcess::Absent)) => return Ok(None),
                Ok(Err(NoProcess::Fails(reason))) => return Err(RoomsError::NotRunning(reason)),
                // It vanished; the next one is asked.
                Err(_) => {
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            }
            let is_decided = |status: &Status| match &status.link {
                Link::Pending => false,
                Link::Connected(found) => tried.is_none_or(|tried| !tried.is(found)),
                Link::Absent { .. } => true,
            };
            match self.wait_until(is_decided).await.link {
                Link::Connected(connected) => return Ok(Some(connected)),
                Link::Absent {
                    start_failure: Some(reason),
                } if start => return Err(RoomsError::NotRunning(reason)),
                // One that ended meanwhile; asked again, the actor starts another or says so.
                Link::Absent { .. } | Link::Pending => {}
            }
        }
    }

    async fn wait_until(&self, condition: impl FnMut(&Status) -> bool) -> Status {
        let mut status = self.shared.status.subscribe();
        // The sender lives as long as this handle.
        let found = status.wait_for(condition).await;
        found.map(|status| status.clone()).unwrap_or_default()
    }

    /// The rooms as they are now; none when the process does not run.
    pub async fn rooms(&self) -> Vec<RoomStatus> {
        let snapshot = self.look(|_| false).await;
        snapshot.map_or_else(Vec::new, |snapshot| snapshot.rooms.clone())
    }

    /// The room of this name as it is now, if anybody is in it.
    pub async fn room(&self, name: &str) -> Option<RoomStatus> {
        let is_it = |room: &RoomStatus| room.name == name && !room.participants.is_empty();
        let snapshot = self
            .look(|snapshot| snapshot.rooms.iter().any(is_it))
            .await?;
        snapshot.rooms.iter().find(|room| is_it(room)).cloned()
    }

    /// What the process says of its rooms: what is known if `suffices`, otherwise the process is
    /// asked. It told so before it answered a publisher, but that may be under way still; hence
    /// twice.
    async fn look(&self, suffices: impl Fn(&RoomsSnapshot) -> bool) -> Option<Arc<RoomsSnapshot>> {
        let mut status = self.settled().await;
        for _ in 0..2 {
            let known = status.snapshot.clone();
            let Link::Connected(Connected { client }) = &status.link else {
                return known;
            };
            if known.as_deref().is_some_and(&suffices)
                || client.command(Command::Snapshot, LOOK).await.is_err()
            {
                return known;
            }
            let is_newer = |status: &Status| match (&status.snapshot, &known) {
                (Some(found), Some(known)) => !Arc::ptr_eq(found, known),
                // Told for the first time, or there is nobody to tell any more.
                _ => true,
            };
            match timeout(LOOK, self.wait_until(is_newer)).await {
                Ok(newer) => status = newer,
                Err(_) => return known,
            }
        }
        status.snapshot
    }

    /// Its number, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.shared.status.borrow().pid
    }

    /// What the process says of its rooms, once it is known whether there is one.
    async fn settled(&self) -> Status {
        let is_settled = |status: &Status| match status.link {
            Link::Absent { .. } => true,
            Link::Pending | Link::Connected(_) => status.snapshot.is_some(),
        };
        let settled = timeout(LOOK, self.wait_until(is_settled)).await;
        settled.unwrap_or_else(|_| self.shared.status.borrow().clone())
    }

    /// Tells the process to close all connections and to end; returns when it has.
    pub async fn leave(&self) {
        // One that is being looked for or started can be told then.
        self.settled().await;
        if self.actor.send(Leave).await.is_ok() {
            self.wait_until(|status| matches!(status.link, Link::Absent { .. }))
                .await;
        }
    }
}

fn refuse_too_long(request: &WhipRequest) -> Option<WhipAnswer> {
    let sdp = match request {
        WhipRequest::Publish { offer, .. } => offer,
        WhipRequest::Patch { fragment, .. } => fragment,
        WhipRequest::Delete { .. } => return None,
    };
    (sdp.len() > LONGEST_SDP).then(|| WhipAnswer::Refused {
        reason: WhipRefusal::Malformed,
        message: format!(
            "the session description has {} bytes, at most {LONGEST_SDP} are taken",
            sdp.len()
        ),
    })
}

fn unknown_session() -> WhipAnswer {
    WhipAnswer::Refused {
        reason: WhipRefusal::UnknownSession,
        message: "no such session: publish again".into(),
    }
}
