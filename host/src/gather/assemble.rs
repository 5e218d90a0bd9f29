//! Answers whose body is put together while it is sent.

use super::held::{Bodies, Held};
use crate::body::{BodyError, ProxyBody};
use crate::decision;
use crate::wasm::Failure;
use crate::wasm::types::{self, BodyPart};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A piece of an answer.
#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    Held(Box<Held>),
}

/// Called when an answer has to end before its end.
type OnBroken = Box<dyn FnOnce(&BodyError) + Send>;

/// Pieces in order. The one in turn is sent at the client's pace; those after it are read ahead a little.
struct Assembled {
    pieces: VecDeque<Piece>,
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
    let response = decision::response(types::Answer { status, headers, body: Vec::new(), delay: None })?;
    let mut pieces = VecDeque::with_capacity(body.len());
    for part in body {
        pieces.push_back(match part {
            BodyPart::Bytes(bytes) => Piece::Bytes(bytes.into()),
            BodyPart::BodyOf(name) => Piece::Held(bodies.take(&name).ok_or_else(|| {
                Failure::invalid(format!("its answer has the body of {name:?}, which it does not hold"))
            })?),
        });
    }
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(response);
    }
    let on_broken: OnBroken = Box::new(on_broken);
    Ok(response.map(|_| ProxyBody::stream(Assembled { pieces, on_broken: Some(on_broken) })))
}

impl Assembled {
    /// Reads the pieces ahead that are not in turn yet.
    fn fill(&mut self, context: &mut Context<'_>) {
        for piece in self.pieces.iter_mut().skip(1) {
            if let Piece::Held(held) = piece {
                let _ = held.poll_fill(context);
            }
        }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let next = match self.pieces.front_mut() {
                None => return Poll::Ready(None),
                Some(Piece::Bytes(bytes)) => Some(Ok(std::mem::take(bytes))),
                Some(Piece::Held(held)) => ready!(held.poll_next(context)),
            };
            match next {
                Some(Ok(bytes)) if !bytes.is_empty() => return Poll::Ready(Some(Ok(bytes))),
                Some(Err(fault)) => return Poll::Ready(Some(Err(self.broken(fault)))),
                Some(Ok(_)) | None => drop(self.pieces.pop_front()),
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
            Piece::Held(held) => held.length(),
        };
        let total = self.pieces.iter().try_fold(0u64, |sum, piece| sum.checked_add(length(piece)?));
        total.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
