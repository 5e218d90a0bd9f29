//! From when on a request is held against the limit of its service.

use super::{Adaptive, Load, Waiting};
use crate::body::ProxyBody;
use crate::shed::Shed;
use std::sync::{Arc, Mutex, PoisonError};

/// A request that waits for its response, or will.
///
/// One that is complete waits from the start. One whose body streams waits, and is measured, from the end of its upload on:
/// before that a slow client would hold room that it does not use, and its pace would pass for the service's. One that is
/// answered before its end, as conversations are, says nothing of how busy its service is, and takes no room.
#[derive(Debug)]
pub(in crate::upstream) enum Held {
    Waiting(Waiting),
    Uploading(Arc<Mutex<Option<Waiting>>>),
}

impl Held {
    /// Takes a request with this body, unless as many wait as may. None when it is not held against the limit.
    pub(in crate::upstream) fn enter(
        adaptive: &Arc<Adaptive>,
        load: Load,
        body: &mut ProxyBody,
    ) -> Result<Option<Self>, Shed> {
        if body.is_known() {
            return Ok(adaptive.enter(load)?.map(Self::Waiting));
        }
        let Some(bounds) = load.bounds else { return Ok(None) };
        adaptive.look(load, bounds)?;
        let (uploading, adaptive) = (Arc::new(Mutex::new(None)), Arc::clone(adaptive));
        let uploaded = Arc::clone(&uploading);
        body.on_end(move |end| {
            if end.is_complete() {
                *uploaded.lock().unwrap_or_else(PoisonError::into_inner) = Some(adaptive.uploaded(bounds));
            }
        });
        Ok(Some(Self::Uploading(uploading)))
    }

    /// The response has come; its latency counts, if the request was complete.
    pub(in crate::upstream) fn answered(self) {
        let waiting = match self {
            Self::Waiting(waiting) => Some(waiting),
            Self::Uploading(uploading) => uploading.lock().unwrap_or_else(PoisonError::into_inner).take(),
        };
        if let Some(waiting) = waiting {
            waiting.answered();
        }
    }
}
