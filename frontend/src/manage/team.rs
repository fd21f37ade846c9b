//! The team now: who can take a call, who cannot, and why.

use crate::model::duration;
use crate::model::roster::{Person, Roster};
use crate::model::why::place;
use cordboard_shared::Millis;
use cordboard_shared::agent::{Presence, Verdict};
use cordboard_shared::id::AgentId;
use leptos::prelude::*;

use crate::components::badge::VerdictBadge;
use crate::components::page_title::PageTitle;
use crate::components::top_bar::role;
use crate::panel::{Panel, use_panel};

/// The team.
#[component]
pub(crate) fn Team() -> impl IntoView {
    let panel = use_panel();
    let staff = Memo::new(move |_| panel.is_staff());
    let people = Memo::new(move |_| {
        panel.roster.with(|roster| roster.by_name().iter().map(|person| person.profile.id).collect::<Vec<AgentId>>())
    });
    let line = Signal::derive(move || panel.roster.with(summary));
    view! {
        <PageTitle title="Team" line=line/>
        <Show
            when=move || staff.get()
            fallback=|| view! { <p class="card empty">"This page is for managers, admins and owners. Nothing is hidden from you that concerns your own calls."</p> }
        >
            <section class="card card-table" aria-label="People">
                <div class="table-scroll" role="region" aria-label="Team, scrollable" tabindex="0">
                    <table class="log-table" aria-label="Team">
                        <thead>
                            <tr>
                                <th scope="col">"Name"</th>
                                <th scope="col">"State"</th>
                                <th scope="col">"Time in state"</th>
                                <th scope="col">"Why"</th>
                                <th scope="col">"Devices"</th>
                                <th scope="col">"Departments"</th>
                                <th scope="col">"Ext."</th>
                            </tr>
                        </thead>
                        <tbody>
                            <For each=move || people.get() key=|id| *id let:id>
                                <Row id=id/>
                            </For>
                        </tbody>
                    </table>
                </div>
            </section>
        </Show>
    }
}

#[component]
fn Row(id: AgentId) -> impl IntoView {
    let panel = use_panel();
    let person = Memo::new(move |_| panel.roster.with(|roster| roster.people.get(&id).cloned()));
    let departments = Memo::new(move |_| panel.roster.with(|roster| departments(roster, id)));
    let verdict = Signal::derive(move || {
        person.with(|person| {
            presence_of(person.as_ref()).map_or(Verdict::Disabled, |presence| presence.effective.verdict)
        })
    });
    let since = move || person.with(|person| person.as_ref().and_then(|person| person.since));
    let time = move || since().map_or_else(|| "–".to_owned(), |since| duration::timer(panel.now.get().since(since)));
    let why = move || person.with(|person| presence_of(person.as_ref()).map(|presence| reason(panel, presence)));
    let devices = move || {
        person.with(|person| {
            presence_of(person.as_ref()).map(|presence| match presence.effective.devices_ready {
                0 => "none ready".to_owned(),
                ready => format!("{ready} ready"),
            })
        })
    };
    let name = move || person.with(|person| person.as_ref().map(|person| person.profile.name.clone()));
    let role = move || person.with(|person| person.as_ref().map(|person| role(person.profile.role)));
    let extension = move || {
        person.with(|person| {
            person.as_ref().and_then(|person| person.profile.extension.as_ref().map(|ext| ext.as_str().to_owned()))
        })
    };
    view! {
        <tr>
            <th scope="row">{name}<span class="cell-second">{role}</span></th>
            <td><VerdictBadge verdict=verdict/></td>
            <td class="figures">{time}</td>
            <td>{why}</td>
            <td>{devices}</td>
            <td>{move || departments.get()}</td>
            <td class="figures">{extension}</td>
        </tr>
    }
}

fn presence_of(person: Option<&Person>) -> Option<&Presence> {
    person?.presence.as_ref()
}

/// `Lunch, until 14:30, set by Asha Rao in the panel`
fn reason(panel: Panel, presence: &Presence) -> String {
    let until = |until: Option<Millis>| until.map(|at| format!("until {}", panel.clock(at)));
    let set = |by: &str, source| format!("set by {by}{}", place(source));
    let block = match presence.effective.verdict {
        Verdict::Paused => presence.facts.pause.as_ref(),
        Verdict::Dnd => presence.facts.dnd.as_ref(),
        Verdict::OptedOut => presence.facts.opt_out.as_ref(),
        Verdict::Away => {
            let parts =
                [presence.reason.clone(), until(presence.until), Some(set(&presence.actor.name, presence.source))];
            return parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        }
        Verdict::NoDevice => return "On, but nothing of theirs can ring".to_owned(),
        Verdict::Available
        | Verdict::Ringing
        | Verdict::OnCall
        | Verdict::AfterCallWork
        | Verdict::OffSchedule
        | Verdict::Disabled => None,
    };
    block
        .map(|block| {
            let parts = [block.reason.clone(), until(block.until), Some(set(&block.stamp.by.name, block.stamp.source))];
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        })
        .unwrap_or_default()
}

fn departments(roster: &Roster, id: AgentId) -> String {
    roster
        .departments
        .iter()
        .filter(|department| department.members.iter().any(|member| member.agent == id))
        .map(|department| department.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// `2 of 9 can take a call now.`
fn summary(roster: &Roster) -> String {
    let reachable = roster
        .people
        .values()
        .filter(|person| person.presence.as_ref().is_some_and(|presence| presence.effective.reachable_by_queue))
        .count();
    format!(
        "{reachable} of {} can take a call now.",
        duration::count(roster.people.len() as u64, "person").replace("persons", "people")
    )
}
