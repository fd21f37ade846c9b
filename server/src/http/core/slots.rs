//! `GET` and `PUT /core/agents/{UUID}/slots`: availability slots, and what they mean on the calendar.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use cordboard_shared::api::availability::{FactChange, SlotsView, Window};
use cordboard_shared::id::AgentId;
use cordboard_shared::schedule::WeeklyHours;
use cordboard_shared::{Millis, ProblemCode, Version};
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::history;
use super::person::{self, Conditions};
use crate::http::limit::Left;
use crate::http::permit::{self, Act};
use crate::http::{ApiError, Caller, HttpState, body};

/// Days that are shown.
const PREVIEW_DAYS: i64 = 7;

/// The query string. Unknown members are ignored.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Asked {
    /// The first day shown, `YYYY-MM-DD` in the zone of the slots; today without one.
    date: Option<String>,
}

/// `GET …/slots?date=`
pub(in crate::http) async fn show(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let left = caller.count_read(&state)?;
    let agent = person::agent(&state, &uuid)?;
    permit::check_sight(&state, &caller, agent)?;
    let date = asked.ok().and_then(|Query(asked)| asked.date).filter(|text| !text.is_empty());
    let date = date.map(|text| text.parse::<Date>().map_err(|_| no_date())).transpose()?;
    let facts = history::facts(&state, agent).await?.ok_or_else(person::not_found)?;
    let hours = facts.slots.map(|slots| slots.hours).unwrap_or_default();
    view(&state, agent, facts.version, hours, date, left)
}

/// `PUT …/slots`: replaces all of them; no windows means always.
pub(in crate::http) async fn set(
    State(state): State<HttpState>,
    caller: Caller,
    Path(uuid): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let left = caller.count_write(&state)?;
    let agent = person::agent(&state, &uuid)?;
    permit::check(&state, &caller, agent, Act::Slots)?;
    let (parts, content) = request.into_parts();
    let conditions = Conditions::of(&parts)?;
    body::check_content_type(&parts.headers)?;
    let hours: WeeklyHours = body::parse(&body::read(content).await?)?;
    let write = person::fact_write(&caller, agent, FactChange::Slots { set: hours.clone() }, conditions);
    let written = person::apply(&state, write).await?;
    view(&state, agent, written.presence.version, hours, None, left)
}

fn view(
    state: &HttpState,
    uuid: AgentId,
    version: Version,
    hours: WeeklyHours,
    date: Option<Date>,
    left: Left,
) -> Result<Response, ApiError> {
    let account_zone = state.app.directory().zone.clone();
    let (from, to) =
        week(hours.zone.as_deref().unwrap_or(&account_zone), date, state.clock.now()).ok_or_else(no_date)?;
    let preview: Vec<Window> = cordboard_routing::windows(&hours, &account_zone, from, to);
    let slots = WeeklyHours { zone: hours.zone.clone().or(Some(account_zone)), ..hours };
    let mut response = Json(SlotsView { uuid, version, slots, preview }).into_response();
    response.headers_mut().extend(left.headers());
    response.headers_mut().extend(person::version_headers(version, &person::etag(version)));
    Ok(response)
}

/// Seven days from a midnight on, by the clocks on the wall there.
fn week(zone: &str, date: Option<Date>, now: Millis) -> Option<(Millis, Millis)> {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let today = || jiff::Timestamp::from_millisecond(now.0).ok().map(|now| now.to_zoned(zone.clone()).date());
    let first = date.or_else(today)?;
    let last = first.checked_add(PREVIEW_DAYS.days()).ok()?;
    let midnight = |day: Date| day.to_zoned(zone.clone()).ok().map(|at| Millis(at.timestamp().as_millisecond()));
    Some((midnight(first)?, midnight(last)?))
}

fn no_date() -> ApiError {
    ApiError::new(ProblemCode::InvalidRequest, "date is a day such as 2026-11-21.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_seven_days_on_the_wall_whatever_the_clocks_do() {
        let week = |zone: &str, date: &str| week(zone, Some(date.parse().unwrap()), Millis(0)).unwrap();
        let hours = |(from, to): (Millis, Millis)| to.since(from) / 3_600_000;

        let (from, _) = week("Asia/Kolkata", "2026-11-21");
        assert_eq!(from.to_string(), "2026-11-20T18:30:00.000Z");
        assert_eq!(hours(week("Asia/Kolkata", "2026-11-21")), 168);
        assert_eq!(hours(week("Europe/London", "2026-03-28")), 167);
        assert_eq!(hours(week("Europe/London", "2026-10-24")), 169);
    }

    #[test]
    fn a_day_beyond_the_calendar_is_refused_and_not_a_fault() {
        assert_eq!(week("UTC", Some("9999-12-31".parse().unwrap()), Millis(0)), None);
        assert_eq!(week("UTC", None, Millis(i64::MAX)), None);
    }
}
