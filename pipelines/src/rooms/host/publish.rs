//! A new publisher: from its offer to its session.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::control::{WhipAnswer, WhipMedia, WhipRefusal};
use crate::process::now_wall_ns;

use super::super::ids::draw_session;
use super::super::ports::Ports;
use super::super::room::{NewTrack, Publisher, Room};
use super::super::sdp::Offer;
use super::super::session::{Opened, Refusal};
use super::track::Track;
use super::{Host, Session};

/// The least time without a packet after which a publisher is gone.
const LEAST_PUBLISHER_TIMEOUT: Duration = Duration::from_secs(1);

/// An offer, taken apart.
pub struct Publish {
    pub room: String,
    pub identity: String,
    pub name: String,
    pub media: WhipMedia,
    pub offer: String,
}

impl Host {
    /// Answers an offer and opens its session.
    ///
    /// # Errors
    /// The offer cannot be taken, or there is no place or port for it.
    pub(super) fn on_publish(&mut self, publish: Publish) -> Result<WhipAnswer, Refusal> {
        let offer = Offer::read(&publish.offer)?;
        self.check_room_for(&publish)?;
        let share = self.ports()?.share();
        // All publishers depend on this process: no offer may end it.
        let opened = catch_unwind(AssertUnwindSafe(|| Opened::answer(&offer, share)));
        let opened = opened.map_err(|_| {
            let message = "the offer could not be answered: an error of the server";
            Refusal::new(WhipRefusal::Internal, message)
        })??;
        let answer = WhipAnswer::Published {
            session: draw_session(),
            entity_tag: opened.entity_tag().to_owned(),
            answer: opened.sdp().to_owned(),
        };
        let WhipAnswer::Published { session: name, .. } = &answer else {
            return Ok(answer);
        };
        log::info!(
            "{} publishes {:?} in room {}",
            publish.identity,
            publish.media,
            publish.room
        );
        self.open(publish, &offer, opened, name.clone());
        Ok(answer)
    }

    fn check_room_for(&self, publish: &Publish) -> Result<(), Refusal> {
        let most = self.settings.max_publishers;
        let room = self.rooms.get(&publish.room);
        let replaced = room.map_or(0, |room| room.replaceable(&publish.identity, publish.media));
        if self.sessions.len().saturating_sub(replaced) < most {
            return Ok(());
        }
        Err(Refusal::new(
            WhipRefusal::Full,
            format!(
                "there are {most} publishers already, as many as are allowed: wait until one leaves, \
                 or raise rooms.max_publishers"
            ),
        ))
    }

    fn ports(&mut self) -> Result<&Ports, Refusal> {
        if self.ports.is_none() {
            let ports = Ports::bind(&self.settings).map_err(|error| {
                let range = |ports: Option<(u16, u16)>| match ports {
                    Some((first, last)) => format!("{first}-{last}"),
                    None => "none".to_owned(),
                };
                let message = format!(
                    "{error} (TAPEDECK_ROOMS_UDP_PORTS is {}, TAPEDECK_ROOMS_TCP_PORTS is {})",
                    range(self.settings.udp_ports),
                    range(self.settings.tcp_ports)
                );
                log::error!("{message}");
                Refusal::new(WhipRefusal::NoPort, message)
            })?;
            log::info!(
                "media arrives at UDP {:?} and TCP {:?}",
                ports.udp(),
                ports.tcp()
            );
            self.ports = Some(ports);
        }
        self.ports
            .as_ref()
            .ok_or_else(|| Refusal::new(WhipRefusal::NoPort, "no port to receive media on is open"))
    }

    fn open(&mut self, publish: Publish, offer: &Offer, opened: Opened, name: String) {
        self.last_session += 1;
        let number = self.last_session;
        let mut tracks = Vec::new();
        let mut announced = Vec::new();
        for offered in &offer.tracks {
            self.last_track += 1;
            announced.push(NewTrack {
                number: self.last_track,
                kind: offered.kind,
                codec: match offered.codecs.as_slice() {
                    [codec] => Some(*codec),
                    _ => None,
                },
            });
            tracks.push(Track::new(self.last_track, offered));
        }
        let room = self
            .rooms
            .entry(publish.room.clone())
            .or_insert_with(|| Room::new(now_wall_ns() / 1_000_000));
        let replaced = room.announce(Publisher {
            session: number,
            identity: publish.identity,
            name: publish.name,
            media: publish.media,
            tracks: announced,
        });
        for number in replaced {
            self.sessions.remove(&number);
        }
        let timeout =
            Duration::from_millis(self.settings.publisher_timeout_ms).max(LEAST_PUBLISHER_TIMEOUT);
        let (orders, task) = opened.begin(number, timeout, self.tell.clone());
        let task = self.tasks.spawn(task);
        self.tasks_of.insert(task.id(), number);
        self.sessions.insert(
            number,
            Session {
                name,
                room: publish.room,
                orders,
                tracks,
            },
        );
    }
}
