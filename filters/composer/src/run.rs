//! Carries a composition out: a plan for each stage, then the answer.

use crate::answer;
use crate::composition::{Call as Planned, Choice, Composition, Condition, Each, ServiceCall};
use crate::json::{self, Kind};
use crate::make;
use crate::part::{Failure, Line, Part, Reason};
use crate::template::render::{Item, Scope, Value};
use crate::view::View;
use serde::{Deserialize, Serialize};
use sluicegate_sdk::{Call, CallError, CallGroup, CallResponse, Outcomes, Plan, RequestDecision, gather};
use std::borrow::Cow;

/// Headers of answers that the composed answer is made of in any case.
const KEPT: [&str; 2] = ["age", "cache-control"];

/// How far a composition has come. It travels with the request from plan to plan.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The number of the composition; none when a route says what is composed.
    pub composition: Option<usize>,
    stage: usize,
    parts: Vec<Part>,
    /// What every answer set, good or not.
    cookies: Vec<Line>,
    /// What every answer depends on, good or not.
    vary: Vec<String>,
}

/// A composition that is being carried out.
#[derive(Debug)]
pub struct Run<'a> {
    pub(crate) composition: &'a Composition,
    pub(crate) view: &'a View<'a>,
    pub(crate) progress: Progress,
}

impl<'a> Run<'a> {
    /// A run that has not begun.
    pub fn new(composition: &'a Composition, number: Option<usize>, view: &'a View<'a>) -> Self {
        let parts = vec![Part::NotYet; composition.calls.len()];
        Self { composition, view, progress: Progress { composition: number, parts, ..Progress::default() } }
    }

    /// A run that has been begun.
    pub fn resumed(composition: &'a Composition, mut progress: Progress, view: &'a View<'a>) -> Self {
        progress.parts.resize(composition.calls.len(), Part::NotYet);
        Self { composition, view, progress }
    }

    /// The first plan, or the answer where no call is to be made.
    pub fn begin(self) -> RequestDecision {
        self.go_on()
    }

    /// What comes after a plan.
    pub fn gathered(mut self, outcomes: Outcomes) -> RequestDecision {
        for outcome in outcomes {
            if let Some(passed_on) = self.take_in(&outcome.name, outcome.response) {
                return passed_on;
            }
        }
        match self.end_stage() {
            Some(failed) => failed,
            None => self.go_on(),
        }
    }

    /// What templates can speak of at this point.
    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope { view: self.view, parts: &self.progress.parts, slots: &self.composition.slots }
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
                return plan.then(&self.progress).into();
            }
            if let Some(failed) = self.end_stage() {
                return failed;
            }
        }
        answer::composed(&self)
    }

    /// The calls of a stage. What is not called is settled here.
    fn plan(&mut self, stage: &[usize]) -> Plan {
        let mut plan = gather().deadline(self.composition.deadline);
        let mut settled: Vec<(usize, Part)> = Vec::new();
        let scope = self.scope();
        for &index in stage {
            let (Some(Planned::Service(service)), Some(slot)) =
                (self.composition.calls.get(index), self.composition.slots.get(index))
            else {
                continue;
            };
            if !service.when.as_ref().is_none_or(|condition| holds(condition, &scope)) {
                settled.push((index, Part::Skipped));
                continue;
            }
            if let Some(each) = &service.each {
                settled.push((index, self.plan_each(service, each, &slot.name, &scope, &mut plan)));
                continue;
            }
            match make::call(self.composition, service, slot.name.clone(), &scope, None) {
                Ok(call) => plan.calls.push(Call { required: call.required && slot.set.is_none(), ..call }),
                Err(failure) => settled.push((index, Part::Failed(failure))),
            }
        }
        for (index, part) in settled {
            self.settle(index, part);
        }
        self.group(stage, &mut plan);
        plan
    }

    /// One call for each element of a list.
    fn plan_each(&self, service: &ServiceCall, each: &Each, name: &str, scope: &Scope<'_>, plan: &mut Plan) -> Part {
        let missing = || {
            let message = format!("it is made for each of {{{}}}, which is not a list", each.over.written);
            Part::Failed(Failure::new(Reason::NotMade, message))
        };
        let list = match scope.chain(&each.over, None) {
            Some(Value::Json(list)) if json::kind(&list) == Kind::List => list,
            _ => return missing(),
        };
        let count = json::elements(&list).take(each.limit.saturating_add(1)).count();
        if count > each.limit {
            let message = format!("the list has more than {} elements", each.limit);
            return Part::Failed(Failure::new(Reason::TooMany, message));
        }
        let mut names = Vec::with_capacity(count);
        let mut parts = Vec::with_capacity(count);
        for (index, value) in json::elements(&list).enumerate() {
            let item = Item { slot: 0, value, outer: None };
            match make::call(self.composition, service, format!("{name}[{index}]"), scope, Some(&item)) {
                Ok(call) => {
                    names.push(call.name.clone());
                    plan.calls.push(call);
                    parts.push(Part::NotYet);
                }
                Err(failure) => parts.push(Part::Failed(failure)),
            }
        }
        if each.concurrency.is_some() && names.len() > 1 {
            let concurrency = each.concurrency;
            plan.groups.push(CallGroup { calls: names, concurrency, enough: None, required: false });
        }
        Part::Each(parts)
    }

    /// Tells the host which calls are alternatives.
    fn group(&self, stage: &[usize], plan: &mut Plan) {
        for &index in stage {
            let Some(Planned::Choice(choice)) = self.composition.calls.get(index) else { continue };
            let names = choice.members.iter().filter_map(|&member| self.composition.slots.get(member));
            let calls: Vec<String> = names
                .map(|slot| slot.name.clone())
                .filter(|name| plan.calls.iter().any(|call| call.name == *name))
                .collect();
            if !calls.is_empty() {
                let enough = Some(choice.enough);
                plan.groups.push(CallGroup { calls, concurrency: None, enough, required: choice.required });
            }
        }
    }

    /// A required call of this stage that could not even be made: then the others need not be.
    fn failure_before(&self, stage: &[usize]) -> Option<RequestDecision> {
        let failed = stage.iter().any(|&call| match self.composition.calls.get(call) {
            Some(Planned::Service(service)) => {
                service.required && !self.is_alternative(call) && self.has_failed(call)
            }
            _ => false,
        });
        failed.then(|| answer::failed(self))
    }

    /// Takes an outcome in. An answer that is to be passed on is the answer of the whole.
    fn take_in(&mut self, name: &str, response: Result<CallResponse, CallError>) -> Option<RequestDecision> {
        let (base, item) = match name.strip_suffix(']').and_then(|name| name.rsplit_once('[')) {
            Some((base, item)) => (base, item.parse::<usize>().ok()),
            None => (name, None),
        };
        let position = |name: &str| self.composition.slots.iter().position(|slot| slot.name == name);
        let exact = position(name);
        let index = exact.or_else(|| position(base))?;
        let Some(Planned::Service(service)) = self.composition.calls.get(index) else { return None };
        let response = match response {
            Ok(mut response) | Err(CallError::Status(mut response)) => {
                let status = response.status;
                if service.pass_on.iter().any(|&(first, last)| (first..=last).contains(&status)) && item.is_none() {
                    return Some(answer::passed_on(response));
                }
                self.note(&response);
                let kept = &self.composition.kept_headers;
                response.headers.retain(|header| {
                    let name = header.name.to_ascii_lowercase();
                    KEPT.contains(&name.as_str()) || name == "content-encoding" || kept.contains(&name)
                });
                Ok(response)
            }
            Err(error) => Err(error),
        };
        let part = Part::of(response, &service.body_use, &service.limits);
        match (exact, item, self.progress.parts.get_mut(index)) {
            (None, Some(item), Some(Part::Each(parts))) => {
                if let Some(place) = parts.get_mut(item) {
                    *place = part;
                }
            }
            _ => self.settle(index, part),
        }
        None
    }

    /// What an answer says of caches and cookies, whether it is a good one or not.
    fn note(&mut self, response: &CallResponse) {
        for header in &response.headers {
            if header.name.eq_ignore_ascii_case("set-cookie") {
                self.progress.cookies.push(Line::from(header.clone()));
            } else if header.name.eq_ignore_ascii_case("vary") {
                let value = String::from_utf8_lossy(&header.value);
                let names = value.split(',').map(|name| name.trim().to_ascii_lowercase());
                self.progress.vary.extend(names.filter(|name| !name.is_empty()));
            }
        }
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

/// Whether a condition holds.
fn holds(condition: &Condition, scope: &Scope<'_>) -> bool {
    match condition {
        Condition::Exists(chain) => scope.chain(chain, None).and_then(Value::into_plain).is_some(),
        Condition::Equals(one, other) => {
            let value = |node| scope.render(node, None);
            match (value(one), value(other)) {
                (Some(one), Some(other)) => same(&one, &other),
                _ => false,
            }
        }
        Condition::Status(call, ranges) => scope
            .status(*call)
            .is_some_and(|status| ranges.iter().any(|&(first, last)| (first..=last).contains(&status))),
        Condition::Succeeded(call) => scope.parts.get(*call).is_some_and(Part::is_good),
        Condition::Failed(call) => matches!(scope.parts.get(*call), Some(Part::Failed(_))),
        Condition::All(conditions) => conditions.iter().all(|condition| holds(condition, scope)),
        Condition::Any(conditions) => conditions.iter().any(|condition| holds(condition, scope)),
        Condition::Not(condition) => !holds(condition, scope),
    }
}

/// Whether two values are the same. What comes from a request is text, so scalars are compared as they are written.
fn same(one: &str, other: &str) -> bool {
    let plain = |text| match json::kind(text) {
        Kind::Text | Kind::Scalar => Some(json::plain(text)),
        _ => None::<Cow<'_, str>>,
    };
    one == other || plain(one).is_some_and(|one| plain(other) == Some(one))
}
