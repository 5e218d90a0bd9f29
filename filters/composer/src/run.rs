//! Carries a composition out: a plan for each stage, then the answer.

mod condition;
mod plan;

use crate::answer;
use crate::composition::{Call as Planned, Choice, Composition};
use crate::expected::DECISIVE;
use crate::part::{Failure, Line, Part, Reason};
use crate::template::scope::Scope;
use crate::view::View;
use serde::{Deserialize, Serialize};
use sluicegate_sdk::{CallError, CallResponse, Header, Outcome, Outcomes, Plan, RequestDecision};
use std::cell::Cell;

/// Headers of answers that are looked at in any case.
const KEPT: [&str; 3] = ["age", "cache-control", "content-encoding"];

/// How far a composition has come. It travels with the request from plan to plan.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The number of the composition; none when a route says what is composed.
    pub composition: Option<usize>,
    /// When it began, in milliseconds of the request's life, where there is more than one stage.
    #[serde(default, skip_serializing_if = "is_default")]
    began: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    stage: usize,
    /// Empty as long as nothing is known.
    #[serde(default, skip_serializing_if = "is_unknown")]
    parts: Vec<Part>,
    /// What every answer set, good or not.
    #[serde(default, skip_serializing_if = "is_default")]
    cookies: Vec<Line>,
    /// What every answer depends on, good or not.
    #[serde(default, skip_serializing_if = "is_default")]
    vary: Vec<String>,
}

/// The answer of a service, whatever its status.
fn answered(outcome: &Outcome) -> Option<&CallResponse> {
    match &outcome.response {
        Ok(response) | Err(CallError::Status(response)) => Some(response),
        Err(_) => None,
    }
}

/// The headers of the request that an answer with these headers depends on, in lower case.
pub(crate) fn vary_of(headers: &[Header]) -> Vec<String> {
    let lines = headers.iter().filter(|header| header.name.eq_ignore_ascii_case("vary"));
    let values = lines.map(|header| String::from_utf8_lossy(&header.value));
    let names = |value: &str| value.split(',').map(|name| name.trim().to_ascii_lowercase()).collect::<Vec<_>>();
    values.flat_map(|value| names(&value)).filter(|name| !name.is_empty()).collect()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_unknown(parts: &[Part]) -> bool {
    parts.iter().all(|part| *part == Part::NotYet)
}

/// A composition that is being carried out.
#[derive(Debug)]
pub struct Run<'a> {
    pub(crate) composition: &'a Composition,
    pub(crate) view: &'a View<'a>,
    pub(crate) progress: Progress,
    /// Whether a value that templates made was cut.
    cut: Cell<bool>,
}

impl<'a> Run<'a> {
    /// A run that has not begun.
    pub fn new(composition: &'a Composition, number: Option<usize>, view: &'a View<'a>) -> Self {
        let parts = vec![Part::NotYet; composition.calls.len()];
        let began = if composition.stages.len() > 1 { view.elapsed() } else { 0 };
        let progress = Progress { composition: number, began, parts, ..Progress::default() };
        Self { composition, view, progress, cut: Cell::default() }
    }

    /// A run that has been begun.
    pub fn resumed(composition: &'a Composition, mut progress: Progress, view: &'a View<'a>) -> Self {
        progress.parts.resize(composition.calls.len(), Part::NotYet);
        Self { composition, view, progress, cut: Cell::default() }
    }

    /// The first plan, or the answer where no call is to be made.
    pub fn begin(self) -> RequestDecision {
        self.go_on()
    }

    /// What comes after a plan.
    pub fn gathered(mut self, outcomes: Outcomes) -> RequestDecision {
        let mut outcomes: Vec<Outcome> = outcomes.into_iter().collect();
        if let Some(place) = outcomes.iter().position(|outcome| self.is_passed_on(outcome)) {
            for outcome in &outcomes {
                self.note_cookies(outcome);
            }
            if let Ok(response) | Err(CallError::Status(response)) = outcomes.swap_remove(place).response {
                return answer::passed_on(&self, response);
            }
        }
        for outcome in outcomes {
            self.note_cookies(&outcome);
            self.take_in(&outcome.name, outcome.response);
        }
        match self.end_stage() {
            Some(failed) => failed,
            None => self.go_on(),
        }
    }

    /// What templates can speak of at this point.
    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope { view: self.view, parts: &self.progress.parts, slots: &self.composition.slots, cut: &self.cut }
    }

    /// Whether a value that was made since it was asked last is not whole.
    pub(crate) fn was_cut(&self) -> bool {
        self.cut.take()
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.progress.parts
    }

    pub(crate) fn cookies(&self) -> &[Line] {
        &self.progress.cookies
    }

    pub(crate) fn vary(&self) -> &[String] {
        &self.progress.vary
    }

    /// Stage after stage, until one has calls to make or all are done.
    fn go_on(mut self) -> RequestDecision {
        while let Some(stage) = self.composition.stages.get(self.progress.stage) {
            let plan = self.plan(stage);
            if !plan.calls.is_empty() {
                if let Some(failed) = self.failure_before(stage) {
                    return failed;
                }
                let plan = self.expecting(plan);
                return plan.then(&self.progress).into();
            }
            if let Some(failed) = self.end_stage() {
                return failed;
            }
        }
        answer::composed(&self)
    }

    /// With the answer, where it is known: all calls have to be made for that.
    fn expecting(&self, plan: Plan) -> Plan {
        match &self.composition.expected {
            Some(answer) if plan.calls.len() == self.composition.calls.len() && self.view.asks() => {
                plan.expect(answer.clone(), DECISIVE)
            }
            _ => plan,
        }
    }

    /// A required call of this stage that could not even be made: then the others need not be.
    fn failure_before(&self, stage: &[usize]) -> Option<RequestDecision> {
        let failed = stage.iter().any(|&call| match self.composition.calls.get(call) {
            Some(Planned::Service(service)) => service.required && !self.is_alternative(call) && self.has_failed(call),
            Some(Planned::Choice(choice)) => {
                let left = choice.members.iter().filter(|&&member| !self.has_failed(member)).count();
                choice.required && left < usize::try_from(choice.enough).unwrap_or(usize::MAX)
            }
            None => false,
        });
        failed.then(|| answer::failed(self))
    }

    /// Whether the answer of a call is the answer of the whole. Those of calls for elements of a list are not.
    fn is_passed_on(&self, outcome: &Outcome) -> bool {
        let Some(CallResponse { status, .. }) = answered(outcome) else { return false };
        let called = self.composition.slots.iter().position(|slot| slot.name == outcome.name);
        match called.and_then(|call| self.composition.calls.get(call)) {
            Some(Planned::Service(service)) => service.passes_on(*status),
            _ => false,
        }
    }

    /// Takes an outcome in.
    fn take_in(&mut self, name: &str, response: Result<CallResponse, CallError>) {
        let (base, item) = match name.strip_suffix(']').and_then(|name| name.rsplit_once('[')) {
            Some((base, item)) => (base, item.parse::<usize>().ok()),
            None => (name, None),
        };
        let position = |name: &str| self.composition.slots.iter().position(|slot| slot.name == name);
        let exact = position(name);
        let Some(index) = exact.or_else(|| position(base)) else { return };
        let Some(Planned::Service(service)) = self.composition.calls.get(index) else { return };
        let response = match response {
            Ok(mut response) | Err(CallError::Status(mut response)) => {
                self.note_vary(&response);
                let kept = &self.composition.kept_headers;
                response.headers.retain(|header| {
                    let is = |name: &str| header.name.eq_ignore_ascii_case(name);
                    KEPT.iter().any(|name| is(name)) || kept.iter().any(|name| is(name))
                });
                Ok(response)
            }
            Err(error) => Err(error),
        };
        let part = Part::of(response, &service.body_use, service.is_checked(), &service.limits);
        match (exact, item, self.progress.parts.get_mut(index)) {
            (None, Some(item), Some(Part::Each(parts))) => {
                if let Some(place) = parts.get_mut(item) {
                    *place = part;
                }
            }
            _ => self.settle(index, part),
        }
    }

    /// The cookies of an answer, whether it is a good one or not.
    fn note_cookies(&mut self, outcome: &Outcome) {
        let headers = answered(outcome).into_iter().flat_map(|response| &response.headers);
        let cookies = headers.filter(|header| header.name.eq_ignore_ascii_case("set-cookie"));
        self.progress.cookies.extend(cookies.cloned().map(Line::from));
    }

    /// What an answer depends on, whether it is a good one or not.
    fn note_vary(&mut self, response: &CallResponse) {
        self.progress.vary.extend(vary_of(&response.headers));
    }

    /// Settles the choices of the stage and goes to the next; the answer, when something required has failed.
    fn end_stage(&mut self) -> Option<RequestDecision> {
        let stage = self.composition.stages.get(self.progress.stage)?;
        for &index in stage {
            if let Some(Planned::Choice(choice)) = self.composition.calls.get(index) {
                let chosen = self.choose(choice);
                self.settle(index, chosen);
            }
        }
        self.progress.stage += 1;
        let failed = stage.iter().any(|&call| {
            let required = match self.composition.calls.get(call) {
                Some(Planned::Service(service)) => service.required && !self.is_alternative(call),
                Some(Planned::Choice(choice)) => choice.required,
                None => false,
            };
            required && self.has_failed(call)
        });
        failed.then(|| answer::failed(self))
    }

    fn choose(&self, choice: &Choice) -> Part {
        let is_good = |member: &usize| self.progress.parts.get(*member).is_some_and(Part::is_good);
        let good: Vec<usize> = choice.members.iter().copied().filter(is_good).collect();
        let enough = usize::try_from(choice.enough).unwrap_or(usize::MAX);
        match (good.first(), good.len() >= enough) {
            (Some(first), true) if !choice.list => Part::Same(*first),
            (Some(_), true) => Part::All(good.into_iter().take(enough).collect()),
            _ => {
                let message = format!("{} of {} alternatives are good", good.len(), choice.members.len());
                Part::Failed(Failure::new(Reason::TooFew, message))
            }
        }
    }

    fn is_alternative(&self, call: usize) -> bool {
        self.composition.slots.get(call).is_some_and(|slot| slot.set.is_some())
    }

    fn has_failed(&self, call: usize) -> bool {
        match self.progress.parts.get(call) {
            Some(Part::Failed(_)) => true,
            Some(Part::Each(parts)) => parts.iter().any(|part| matches!(part, Part::Failed(_))),
            _ => false,
        }
    }

    fn settle(&mut self, call: usize, part: Part) {
        if let Some(place) = self.progress.parts.get_mut(call) {
            *place = part;
        }
    }
}
