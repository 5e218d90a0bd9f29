//! The plan of a stage.

use super::Run;
use super::condition::holds;
use crate::composition::{Call as Planned, Each, ServiceCall};
use crate::make;
use crate::output::LARGEST;
use crate::part::{Failure, Part, Reason, Slot};
use crate::template::scope::{Item, Scope, Value};
use sluicegate_sdk::json::{self, Kind};
use sluicegate_sdk::{Call, CallGroup, Plan, gather};

impl Run<'_> {
    /// The calls of a stage. What is not called is settled here.
    pub(super) fn plan(&mut self, stage: &[usize]) -> Plan {
        let passed = if self.progress.stage == 0 { 0 } else { self.view.elapsed().saturating_sub(self.progress.began) };
        // A plan that comes too late still has a moment, in which what is kept can be had.
        let mut plan = gather().deadline(self.composition.deadline.saturating_sub(passed).max(1));
        let mut settled: Vec<(usize, Part)> = Vec::new();
        let scope = self.scope();
        for &index in stage {
            let (Some(Planned::Service(service)), Some(slot)) =
                (self.composition.calls.get(index), self.composition.slots.get(index))
            else {
                continue;
            };
            let before = (plan.calls.len(), plan.groups.len());
            let part = self.plan_call(service, slot, &scope, &mut plan);
            if self.was_cut() {
                plan.calls.truncate(before.0);
                plan.groups.truncate(before.1);
                let message = format!("a value that it is made of is over {LARGEST} bytes");
                settled.push((index, Part::Failed(Failure::new(Reason::NotMade, message))));
            } else if let Some(part) = part {
                settled.push((index, part));
            }
        }
        for (index, part) in settled {
            self.settle(index, part);
        }
        self.group(stage, &mut plan);
        plan
    }

    /// Adds a call, or those for the elements of its list. What is known of it by then.
    fn plan_call(&self, service: &ServiceCall, slot: &Slot, scope: &Scope<'_>, plan: &mut Plan) -> Option<Part> {
        if !service.when.as_ref().is_none_or(|condition| holds(condition, scope)) {
            return Some(Part::Skipped);
        }
        if let Some(each) = &service.each {
            return Some(self.plan_each(service, each, &slot.name, scope, plan));
        }
        match make::call(self.composition, service, slot.name.clone(), scope, None) {
            Ok(call) => {
                plan.calls.push(Call { required: call.required && slot.set.is_none(), ..call });
                None
            }
            Err(failure) => Some(Part::Failed(failure)),
        }
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
            // Where too few could be made the choice fails whatever those give.
            if calls.len() >= usize::try_from(choice.enough).unwrap_or(usize::MAX) {
                let enough = Some(choice.enough);
                plan.groups.push(CallGroup { calls, concurrency: None, enough, required: choice.required });
            }
        }
    }
}
