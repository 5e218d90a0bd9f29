//! Composes one answer of several services' answers.
//!
//! What is composed stands in `Composition` documents, or in a route: an earlier filter, such as the router, says by the
//! attribute `compose.destinations` that a request has several destinations ([`route`]). Both become the same
//! [`composition`]: a document is checked and compiled when it is loaded ([`compile`]), from its serde types ([`document`])
//! to stages of calls whose templates ([`template`]) are read and resolved. A request is then looked up ([`table`]) and
//! carried out stage by stage ([`run`]): the host makes the calls of a stage in parallel, and what they gave travels with
//! the request to the next. The answer ([`answer`]) is put together of slices of what came; a body that nothing looks into
//! never gets here at all, but stays with the host, which puts it into its place.
//!
//! The filter does no I/O and keeps nothing between requests but what it made of its configuration and of routes. The
//! README states all rules.

pub mod answer;
pub mod cache;
pub mod code;
pub mod compile;
pub mod composition;
pub mod config;
pub mod document;
pub mod duration;
pub mod etag;
pub mod expected;
pub mod explain;
pub mod host;
pub mod make;
pub mod output;
pub mod part;
pub mod pattern;
pub mod percent;
pub mod report;
pub mod rival;
pub mod route;
pub mod run;
pub mod schema;
pub mod table;
pub mod template;
pub mod view;

use compile::Context;
use composition::Composition;
use config::Settings;
use report::Report;
use route::Routes;
use run::{Progress, Run};
use serde::de::IgnoredAny;
use sluicegate_sdk::prelude::*;
use table::Table;
use view::View;

/// What a route may compose: the methods that ask for something and change nothing.
const ALLOWED: &str = "GET, HEAD";

/// The filter.
#[derive(Debug)]
pub struct Composer {
    settings: Settings,
    table: Table,
    routes: Routes,
}

impl Configure for Composer {
    type Settings = Settings;

    fn configure(
        environment: &Environment,
        settings: Settings,
        resources: &[Resource],
        diagnostics: &mut Diagnostics,
    ) -> Self {
        settings.check(diagnostics);
        let context = Context { environment, settings: &settings };
        let mut compositions: Vec<Composition> = Vec::with_capacity(resources.len());
        for resource in resources {
            let mut report = Report::new(resource, diagnostics);
            if let Some(composition) = compile::composition(resource, context, &mut report) {
                compile::check_conflict(&composition, &compositions, &mut report);
                compositions.push(composition);
            }
        }
        let table = Table::new(compositions, environment);
        Self { settings, table, routes: Routes::default() }
    }
}

impl RequestFilter for Composer {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        let view = View::new(request);
        match self.routes.composition(request, &self.settings) {
            Err(reason) => respond(500).text(reason).into(),
            Ok(Some(_)) if !view.asks() => {
                let reason = "several services answer here, so only GET and HEAD are possible";
                respond(405).header("allow", ALLOWED).text(reason).into()
            }
            Ok(Some(composition)) => Run::new(&composition, None, &view).begin(),
            Ok(None) => match self.table.find(&view) {
                None => next().into(),
                Some(found) => begin(found, view),
            },
        }
    }
}

impl GatherFilter for Composer {
    type State = Progress;

    fn on_gathered(&self, request: &Request<'_>, progress: Progress, outcomes: Outcomes) -> RequestDecision {
        let mut view = View::new(request);
        // Only a filter that edits the request between two plans could bring it elsewhere.
        let elsewhere = || respond(500).text("not composed here").into();
        let Some(number) = progress.composition else {
            return match self.routes.composition(request, &self.settings) {
                Ok(Some(composition)) => Run::resumed(&composition, progress, &view).gathered(outcomes),
                _ => elsewhere(),
            };
        };
        let found = self.table.get(number).and_then(|composition| {
            let parameters = composition.matching.path.matches(&request.path())?;
            Some((composition, parameters))
        });
        let Some((composition, parameters)) = found else { return elsewhere() };
        view.parameters = parameters;
        match with_body(composition, view) {
            Ok(view) => Run::resumed(composition, progress, &view).gathered(outcomes),
            Err(decision) => *decision,
        }
    }
}

impl Explain for Composer {
    fn explain(&self, request: &Request<'_>) -> Explanation {
        let nothing = |summary: String| Explanation { summary, candidates: Vec::new() };
        let view = View::new(request);
        match self.routes.composition(request, &self.settings) {
            Err(reason) => nothing(format!("answers 500: {reason}")),
            Ok(Some(_)) if !view.asks() => {
                nothing(format!("answers 405: {} cannot be composed, {ALLOWED} can", view.method()))
            }
            Ok(Some(composition)) => explain::route(&composition, request),
            Ok(None) => explain::resource(&self.table, &view),
        }
    }
}

fn begin(found: table::Found<'_>, mut view: View<'_>) -> RequestDecision {
    view.parameters = found.parameters;
    match with_body(found.composition, view) {
        Ok(view) => Run::new(found.composition, Some(found.number), &view).begin(),
        Err(decision) => *decision,
    }
}

/// The view with the request's body, where the composition uses it; otherwise what has to be done first.
fn with_body<'a>(composition: &Composition, mut view: View<'a>) -> Result<View<'a>, Box<RequestDecision>> {
    let Some(max) = composition.request_body.filter(|_| !view.asks()) else { return Ok(view) };
    let Some(body) = view.request.body() else { return Err(Box::new(inspect_body(max))) };
    if body.is_empty() {
        return Ok(view);
    }
    let text = String::from_utf8(body).ok().filter(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    let Some(text) = text else {
        return Err(Box::new(respond(400).text("the body of the request is not JSON").into()));
    };
    view.body = Some(text.trim().to_owned());
    Ok(view)
}

sluicegate_sdk::export!(
    Composer,
    hooks: [configuration, request, gather, explain],
    kinds: [("sluicegate.dev", "Composition", "composition.schema.json")],
    priority: -200,
    early: -50,
    idle_unless: ["compose.destinations"],
    settings: "../settings.schema.json",
);

#[cfg(test)]
mod tests;
