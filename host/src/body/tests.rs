use super::*;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Gives these frames; `None` means "not yet" once.
struct Frames(VecDeque<Option<Result<Frame<Bytes>, BodyError>>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.0.pop_front() {
            Some(Some(frame)) => Poll::Ready(Some(frame)),
            Some(None) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            None => Poll::Ready(None),
        }
    }
}

/// A body whose length is known and whose end comes later than its last byte, as in HTTP/2 with a length.
struct Announced {
    body: ProxyBody,
    left: u64,
}

impl Body for Announced {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(data)) = frame.as_ref().map(|frame| frame.as_ref().map(Frame::data_ref)) {
            self.left -= data.map_or(0, |data| u64::try_from(data.len()).unwrap());
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// The same body with a length of so many bytes.
pub(crate) fn announced(body: ProxyBody, left: u64) -> ProxyBody {
    ProxyBody::stream(Announced { body, left })
}

#[allow(clippy::unnecessary_wraps, reason = "stands in lists beside `None`, a pause")]
fn data(text: &'static str) -> Option<Result<Frame<Bytes>, BodyError>> {
    Some(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))
}

fn body(frames: impl IntoIterator<Item = Option<Result<Frame<Bytes>, BodyError>>>) -> ProxyBody {
    ProxyBody::stream(Frames(frames.into_iter().collect()))
}

fn watched(body: &mut ProxyBody) -> Arc<Mutex<Vec<BodyEnd>>> {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ends);
    body.on_end(move |end| seen.lock().unwrap().push(end));
    ends
}

#[tokio::test]
async fn a_body_that_ends_with_its_first_frame_can_be_sent_again() {
    let begun = body([data("all")]).begin().await.unwrap();
    assert!(begun.is_known());
    let copy = begun.replayable().unwrap();
    assert_eq!(begun.collect_up_to(3).await.unwrap(), "all");
    assert_eq!(copy.collect_up_to(3).await.unwrap(), "all");
}

#[tokio::test]
async fn a_body_that_goes_on_after_its_first_frame_keeps_every_byte() {
    for frames in [vec![data("one"), data("two")], vec![None, data("one"), None, None, None, None, data("two")]] {
        let begun = body(frames).begin().await.unwrap();
        assert!(begun.replayable().is_none());
        assert_eq!(begun.collect_up_to(6).await.unwrap(), "onetwo");
    }
}

#[tokio::test]
async fn trailers_survive_the_look_ahead() {
    let trailers = || http::HeaderMap::from_iter([(http::header::AGE, http::HeaderValue::from_static("1"))]);
    for frames in [vec![Some(Ok(Frame::trailers(trailers())))], vec![data("x"), Some(Ok(Frame::trailers(trailers())))]]
    {
        let begun = body(frames).begin().await.unwrap();
        let collected = begun.collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&trailers()));
    }
}

#[tokio::test]
async fn trailers_are_the_end_although_nobody_asks_for_more() {
    let trailers = http::HeaderMap::from_iter([(http::header::AGE, http::HeaderValue::from_static("1"))]);
    let mut body = body([data("x"), Some(Ok(Frame::trailers(trailers)))]);
    let ends = watched(&mut body);
    body.frame().await.unwrap().unwrap();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(*ends.lock().unwrap(), [BodyEnd { bytes: 1, how: Ending::Complete }]);
}

#[tokio::test]
async fn the_last_byte_of_a_known_length_is_the_end_although_that_comes_later() {
    for (frames, complete) in [(2, true), (1, false)] {
        let mut body = announced(body([data("abc"), data("de")]), 5);
        let ends = watched(&mut body);
        for _ in 0..frames {
            body.frame().await.unwrap().unwrap();
        }
        assert!(!body.is_end_stream());
        drop(body);
        assert_eq!(ends.lock().unwrap()[0].is_complete(), complete, "after {frames} frames");
    }
    let mut unread = announced(body([data("de")]), 5).begin().await.unwrap();
    let ends = watched(&mut unread);
    drop(unread);
    assert!(!ends.lock().unwrap()[0].is_complete(), "what was read ahead has reached nobody");
}

#[tokio::test]
async fn everybody_who_asked_is_told_of_the_end() {
    let mut body = body([data("abc")]);
    let (first, second) = (watched(&mut body), watched(&mut body));
    body.collect().await.unwrap();
    let end = [BodyEnd { bytes: 3, how: Ending::Complete }];
    assert_eq!((&*first.lock().unwrap(), &*second.lock().unwrap()), (&end.to_vec(), &end.to_vec()));
}

#[tokio::test]
async fn trailers_that_have_no_place_after_the_content_are_left_out() {
    let trailers = |names: &[&'static str]| {
        let field = |name: &&'static str| (http::HeaderName::from_static(name), http::HeaderValue::from_static("1"));
        Some(Ok(Frame::trailers(names.iter().map(field).collect())))
    };
    let collected = body([data("x"), trailers(&["x-forwarded-for", "age", "connection"])]).collect().await.unwrap();
    let left: Vec<_> = collected.trailers().unwrap().keys().cloned().collect();
    assert_eq!(left, [http::header::AGE]);
    for frames in [vec![trailers(&["host"])], vec![data("x"), None, None, None, trailers(&["host"])]] {
        let mut body = body(frames).begin().await.unwrap();
        let ends = watched(&mut body);
        assert!(body.collect().await.unwrap().trailers().is_none());
        assert!(ends.lock().unwrap()[0].is_complete());
    }
}

#[tokio::test]
async fn a_body_over_its_limit_fails_at_the_frame_that_crosses_it() {
    let mut limited = body([data("12345"), None, None, None, data("6")]).limited(Some(5)).begin().await.unwrap();
    assert!(limited.frame().await.unwrap().is_ok());
    assert!(matches!(limited.frame().await, Some(Err(BodyError::TooLarge { limit: 5 }))));
    let at_once = body([data("123456")]).limited(Some(5)).begin().await;
    assert!(matches!(at_once, Err(BodyError::TooLarge { limit: 5 })));
}

#[tokio::test]
async fn collecting_stops_at_its_limit() {
    assert_eq!(body([data("ab"), data("cd"), data("ef")]).collect_up_to(6).await.unwrap(), "abcdef");
    let over = body([data("ab"), data("cd"), data("ef")]).collect_up_to(5).await;
    assert!(matches!(over, Err(BodyError::TooLarge { limit: 5 })));
    assert!(matches!(ProxyBody::full("abc").collect_up_to(2).await, Err(BodyError::TooLarge { limit: 2 })));
}

#[tokio::test]
async fn the_end_is_told_once_with_the_bytes_that_went_through() {
    let mut whole = body([data("abc"), data("de")]);
    let ends = watched(&mut whole);
    whole.collect().await.unwrap();
    assert_eq!(*ends.lock().unwrap(), [BodyEnd { bytes: 5, how: Ending::Complete }]);
}

#[tokio::test]
async fn what_has_come_of_a_body_is_known_to_who_does_not_hold_it() {
    let mut streaming = body([data("abc"), data("de")]);
    let progress = streaming.progress();
    assert_eq!(progress.bytes(), 0);
    let begun = streaming.begin().await.unwrap();
    assert_eq!(progress.bytes(), 3, "what is read ahead has come");
    begun.collect().await.unwrap();
    assert_eq!(progress.bytes(), 5, "and counts once");
    assert_eq!(ProxyBody::empty().progress().bytes(), 0);

    let mut whole = body([data("abc")]);
    let progress = whole.progress();
    let begun = whole.begin().await.unwrap();
    for _ in 0..2 {
        begun.replayable().unwrap().collect().await.unwrap();
    }
    assert_eq!(progress.bytes(), 3, "what is sent again has come once");
}

#[tokio::test]
async fn a_body_that_fails_or_is_given_up_is_not_complete() {
    let mut failing = body([data("abc"), Some(Err(BodyError::Timeout))]);
    let ends = watched(&mut failing);
    failing.collect().await.unwrap_err();
    assert_eq!(*ends.lock().unwrap(), [BodyEnd { bytes: 3, how: Ending::Failed }]);

    let mut dropped = body([data("abc"), data("de")]);
    let ends = watched(&mut dropped);
    dropped.frame().await.unwrap().unwrap();
    drop(dropped);
    assert_eq!(*ends.lock().unwrap(), [BodyEnd { bytes: 3, how: Ending::Abandoned }]);
}

#[tokio::test]
async fn known_bytes_that_nobody_reads_count_as_complete() {
    let mut known = ProxyBody::full("for a HEAD request");
    let ends = watched(&mut known);
    drop(known);
    assert_eq!(*ends.lock().unwrap(), [BodyEnd { bytes: 0, how: Ending::Complete }]);
}

#[test]
fn the_length_counts_what_was_read_ahead() {
    assert_eq!(ProxyBody::full("abc").size_hint().exact(), Some(3));
    assert_eq!(ProxyBody::empty().size_hint().exact(), Some(0));
    assert!(ProxyBody::empty().is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn a_body_is_begun_while_its_request_waits() {
    let started = tokio::time::Instant::now();
    let begun = body([data("one"), data("two")]).begin_after(Duration::from_millis(300)).await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_millis(300));
    let begun = begun.begin().await.unwrap();
    assert_eq!(begun.collect_up_to(6).await.unwrap(), "onetwo");
    let broken = body([Some(Err(BodyError::Timeout))]).begin_after(Duration::from_mins(1)).await;
    assert!(broken.is_err());
    assert_eq!(started.elapsed(), Duration::from_millis(300), "a body that breaks off ends the wait");
}

#[tokio::test]
async fn the_answer_to_a_malformed_request_ends_with_a_reset() {
    let mut answer = ThenReset::new(ProxyBody::full("no"));
    assert_eq!((answer.size_hint().exact(), answer.is_end_stream()), (Some(2), false));
    assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "no");
    assert!(matches!(answer.frame().await, Some(Err(BodyError::Malformed(_)))));
}
