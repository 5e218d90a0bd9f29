//! Taking the place of a running process, and having it taken.

use super::{Proxy, StartError};
use crate::admin::Succession;
use crate::config::{Settings, limits};
use crate::event::Channels;
use crate::listener::Inherited;
use crate::reload::Reloads;
use crate::take_over::{Handed, HandsOver, Listening, Offer, TakeOver};
use crate::unix_socket::{self, SocketFile};
use crate::worker::Doors;
use std::io;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Instant;

/// Where this process stands in the line of those that serve one after the other.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The process whose place this one takes, until it has.
    before: Option<TakeOver>,
    /// Where the next one is waited for, until it is.
    socket: Option<(UnixListener, SocketFile)>,
    /// What the next one is waited for with.
    offer: Option<Offer>,
}

impl Place {
    /// Asks for the sockets of the process that is there, if the settings name a place and there is one.
    pub(super) fn find(settings: &Settings, inherited: &Inherited) -> Result<Self, StartError> {
        let Some(path) = &settings.take_over else { return Ok(Self::default()) };
        let before = TakeOver::begin(path, inherited)?;
        let given = before.as_ref().and_then(|_| inherited.take_unix(path));
        let socket = match given.map(|listener| SocketFile::of_another(path).map(|file| (listener, file))) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Some(Ok(socket)) => Ok(socket),
            // Or there was, and it has taken its file along as it ended.
            Some(Err(_)) | None => unix_socket::bind(path),
        };
        let socket = socket.map_err(|reason| StartError::TakeOverSocket { path: path.clone(), reason })?;
        Ok(Self { before, socket: Some(socket), offer: None })
    }

    /// Whether the process before this one serves, and not this one.
    pub(super) fn is_of_another(&self) -> bool {
        self.before.is_some()
    }

    /// Everything is ready but what only one process can have; returns once this one may.
    pub(super) fn prepared(&self) -> Result<(), StartError> {
        Ok(self.before.as_ref().map_or(Ok(()), TakeOver::prepared)?)
    }
}

impl Proxy {
    /// Says that it serves: a process whose place it takes ends, and the next one is waited for. To be called once.
    ///
    /// # Errors
    /// When there is no thread to wait on, or the process before has given up waiting and serves on: then this one should
    /// end, once it has finished what it has taken in.
    pub fn serves(&mut self) -> Result<(), StartError> {
        let admin = self.admin.succession();
        if let Some(before) = &self.place.before {
            if before.ready()? {
                tracing::info!("the process before this one has handed over, and ends");
            } else {
                tracing::warn!("the process before this one has ended by itself");
            }
            self.place.before = None;
        }
        admin.take();
        self.inherited.close_rest();
        let Some((listener, file)) = self.place.socket.take() else { return Ok(()) };
        file.ownership().take();
        let holder = Holder {
            doors: self.workers.doors(),
            admin,
            channels: Arc::clone(&self.channels),
            reloads: self.reload.reloads.clone(),
        };
        self.place.offer = Some(Offer::start((listener, file), holder)?);
        Ok(())
    }

    /// Resolves once another process serves in the place of this one.
    pub async fn handed_over(&mut self) -> Handed {
        match &mut self.place.offer {
            Some(offer) => offer.handed().await,
            None => std::future::pending().await,
        }
    }
}

/// What this process hands over.
struct Holder {
    doors: Doors,
    admin: Succession,
    channels: Arc<Channels>,
    reloads: Reloads,
}

impl HandsOver for Holder {
    fn sockets(&self) -> io::Result<Vec<Listening>> {
        let mut sockets: Vec<Listening> = self.doors.sockets()?.into_iter().map(Listening::Tcp).collect();
        sockets.push(self.admin.socket()?);
        Ok(sockets)
    }

    fn leave(&self) {
        self.admin.leave();
    }

    fn keep(&self) {
        self.doors.keep();
        self.admin.take();
    }

    fn release(&self) {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.channels.release(limits::RELEASE_DELIVERIES)),
            Err(error) => tracing::error!(%error, "what only one process can have is not let go of"),
        }
    }

    fn resume(&self) {
        let began = Instant::now();
        // The process that failed has said so before it was gone with all that it had.
        while let Err(error) = self.channels.resume() {
            if began.elapsed() >= limits::TAKE_OVER_RESUME {
                return tracing::error!(%error, "channels in files take no events any more: another process has them");
            }
            #[allow(clippy::disallowed_methods, reason = "the thread that hands over has nothing else to do")]
            std::thread::sleep(limits::ACCEPT_BACKOFF);
        }
        // The channels are opened anew with what is in force.
        if let Err(error) = self.reloads.wait(limits::RELOAD_ANSWER) {
            tracing::error!(%error, "channels in files are not opened anew yet");
        }
    }

    fn retire(&self) {
        self.admin.retire();
    }
}
