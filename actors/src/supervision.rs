//! Actors that are made anew when they vanish. A handler's panic ends an actix actor for good: its
//! mailbox closes and nobody is told.

use std::sync::{Mutex, PoisonError};

use actix::prelude::*;

/// Keeps one actor of a kind alive: whoever asks for its address gets a living one.
pub struct Keeper<A: Actor<Context = Context<A>>> {
    name: &'static str,
    arbiter: ArbiterHandle,
    make: Box<dyn Fn() -> A + Send + Sync>,
    address: Mutex<Addr<A>>,
}

impl<A: Actor<Context = Context<A>> + Send> Keeper<A> {
    /// Starts the actor that `make` makes on `arbiter`.
    pub fn start(
        name: &'static str,
        arbiter: ArbiterHandle,
        make: impl Fn() -> A + Send + Sync + 'static,
    ) -> Self {
        let address = Mutex::new(start_on(&arbiter, make()));
        Self {
            name,
            arbiter,
            make: Box::new(make),
            address,
        }
    }

    /// The address of the actor, which is started again if it is gone.
    pub fn address(&self) -> Addr<A> {
        let mut address = self.address.lock().unwrap_or_else(PoisonError::into_inner);
        if !address.connected() {
            log::error!(
                "the {} vanished, most likely by a panic: it is started again",
                self.name
            );
            *address = start_on(&self.arbiter, (self.make)());
        }
        address.clone()
    }

    /// Sends a message; asks once more if the actor vanished before it took the message.
    ///
    /// # Errors
    /// The actor did not answer, twice.
    pub async fn send<M>(&self, message: M) -> Result<M::Result, MailboxError>
    where
        M: Message + Send + Clone + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: actix::dev::ToEnvelope<A, M>,
    {
        match self.address().send(message.clone()).await {
            Err(MailboxError::Closed) => self.address().send(message).await,
            answer => answer,
        }
    }
}

/// A thread of its own for actors whose work would let others wait; it ends when this is dropped.
pub struct OwnThread(Arbiter);

impl OwnThread {
    pub fn start() -> Self {
        Self(Arbiter::new())
    }

    /// Where to start actors.
    pub fn handle(&self) -> ArbiterHandle {
        self.0.handle()
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn start_on<A: Actor<Context = Context<A>> + Send>(arbiter: &ArbiterHandle, actor: A) -> Addr<A> {
    A::start_in_arbiter(arbiter, move |_| actor)
}
