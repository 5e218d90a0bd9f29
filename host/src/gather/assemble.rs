//! Answers whose body is put together while it is sent.

use super::held::{Bodies, Held};
use super::plan::{Part, has_no_content};
use crate::body::{BodyError, ProxyBody};
use crate::config::limits;
use crate::decision;
use crate::wasm::Failure;
use crate::wasm::types;
use bytes::{Bytes, BytesMut};
use http::Response;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A piece of an answer.
#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    /// With how many pieces on the next one of these is; so far that there is none, for the last.
    Held(Box<Held>, usize),
}

/// Called when an answer has to end before its end.
type OnBroken = Box<dyn FnOnce(&BodyError) + Send>;

/// Pieces in order. The one in turn is sent at the client's pace; those after it are read ahead a little.
struct Assembled {
    pieces: VecDeque<Piece>,
    /// The place of the first body, so that bytes between bodies are not walked each time.
    held: usize,
    on_broken: Option<OnBroken>,
}

/// Puts an answer together of bodies that the request holds. `on_broken` is called when one of them breaks once the
/// answer is on its way, which then ends before its end.
///
/// # Errors
/// When the status or a header cannot be, or a body is not there: it was used before, or its call is not good.
pub fn assemble(
    assembly: types::Assembly,
    bodies: &mut Bodies,
    on_broken: impl FnOnce(&BodyError) + Send + 'static,
) -> Result<Response<ProxyBody>, Failure> {
    let types::Assembly { status, headers, body } = assembly;
    let body = body.into_iter().map(Part::from).collect();
    put_together(decision::head(status, headers)?, body, bodies, on_broken)
}

/// The same for a head that is known to be good.
///
/// # Errors
/// When a body is not there.
pub fn put_together(
    head: Response<()>,
    body: Vec<Part>,
    bodies: &mut Bodies,
    on_broken: impl FnOnce(&BodyError) + Send + 'static,
) -> Result<Response<ProxyBody>, Failure> {
    let mut pieces = VecDeque::with_capacity(body.len());
    for part in body {
        pieces.push_back(match part {
            Part::Bytes(bytes) => Piece::Bytes(bytes),
            Part::BodyOf(ref name) => Piece::Held(bodies.take(name).ok_or_else(|| not_held(&part))?, FAR),
            // What a plan expects was put in before.
            Part::ValueOf(_) => return Err(not_held(&part)),
        });
    }
    if has_no_content(head.status()) {
        return Ok(head.map(|()| ProxyBody::empty()));
    }
    if let Some(whole) = whole(&mut pieces) {
        return Ok(head.map(|()| ProxyBody::full(whole)));
    }
    let on_broken: OnBroken = Box::new(on_broken);
    let first = link(&mut pieces);
    Ok(head.map(|()| ProxyBody::stream(Assembled { pieces, held: first, on_broken: Some(on_broken) })))
}

fn not_held(part: &Part) -> Failure {
    Failure::invalid(format!("its answer has {part}, which it does not hold"))
}

/// The body in one, where all of it is here and so short that copying it costs less than sending it in pieces.
fn whole(pieces: &mut VecDeque<Piece>) -> Option<Bytes> {
    let mut total = 0usize;
    for piece in &*pieces {
        total = total.saturating_add(match piece {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::Held(held, _) => held.whole_size()?,
        });
    }
    if total > limits::COPIED_ANSWER {
        return None;
    }
    let mut whole = BytesMut::with_capacity(total);
    for piece in pieces.drain(..) {
        match piece {
            Piece::Bytes(bytes) => whole.extend_from_slice(&bytes),
            Piece::Held(held, _) => held.ahead().for_each(|bytes| whole.extend_from_slice(bytes)),
        }
    }
    Some(whole.freeze())
}

/// Farther than an answer has pieces.
const FAR: usize = usize::MAX;

/// Notes how far it is from each body to the next. Returns the place of the first.
fn link(pieces: &mut VecDeque<Piece>) -> usize {
    let mut next = FAR;
    for piece in pieces.iter_mut().rev() {
        next = next.saturating_add(1);
        if let Piece::Held(_, after) = piece {
            *after = std::mem::take(&mut next);
        }
    }
    next
}

impl Assembled {
    /// Reads the bodies ahead that are not in turn yet.
    fn fill(&mut self, context: &mut Context<'_>) {
        let mut place = self.held;
        while let Some(Piece::Held(held, next)) = self.pieces.get_mut(place) {
            if place > 0 {
                let _ = held.poll_fill(context);
            }
            place = place.saturating_add(*next);
        }
    }

    /// Goes on to the next piece.
    fn advance(&mut self) {
        if let Some(Piece::Held(_, next)) = self.pieces.pop_front() {
            self.held = next;
        }
        self.held = self.held.saturating_sub(1);
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let next = match self.pieces.front_mut() {
                None => return Poll::Ready(None),
                Some(Piece::Bytes(bytes)) => Some(Ok(std::mem::take(bytes))),
                Some(Piece::Held(held, _)) => ready!(held.poll_next(context)),
            };
            match next {
                Some(Ok(bytes)) if !bytes.is_empty() => return Poll::Ready(Some(Ok(bytes))),
                Some(Err(fault)) => return Poll::Ready(Some(Err(self.broken(fault)))),
                Some(Ok(_)) | None => self.advance(),
            }
        }
    }

    fn broken(&mut self, fault: BodyError) -> BodyError {
        self.pieces.clear();
        if let Some(hook) = self.on_broken.take() {
            hook(&fault);
        }
        fault
    }
}

impl Body for Assembled {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.fill(context);
        self.poll_piece(context).map(|next| next.map(|next| next.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Bytes(bytes) if bytes.is_empty()))
    }

    fn size_hint(&self) -> SizeHint {
        let length = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => u64::try_from(bytes.len()).ok(),
            Piece::Held(held, _) => held.length(),
        };
        let total = self.pieces.iter().try_fold(0u64, |sum, piece| sum.checked_add(length(piece)?));
        total.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
