//! The team now: who can take a call, who cannot and why, and what can be done about it.

use cordboard_shared::Millis;
use cordboard_shared::agent::{Presence, Verdict};
use cordboard_shared::id::AgentId;
use leptos::prelude::*;

use super::form::{SelectField, TextField};
use super::person::PersonPanel;
use crate::components::badge::VerdictBadge;
use crate::components::page_title::PageTitle;
use crate::components::top_bar::role;
use crate::model::duration;
use crate::model::notice::reason_words;
use crate::model::roster::{Person, Roster};
use crate::model::why::place;
use crate::panel::{Panel, use_panel};

/// The states one can filter by.
const VERDICTS: [Verdict; 11] = [
    Verdict::Available,
    Verdict::Ringing,
    Verdict::OnCall,
    Verdict::AfterCallWork,
    Verdict::Away,
    Verdict::Dnd,
    Verdict::OptedOut,
    Verdict::Paused,
    Verdict::OffSchedule,
    Verdict::NoDevice,
    Verdict::Disabled,
];

/// Which people are shown.
#[derive(Clone, Copy)]
pub(crate) struct Filter {
    department: RwSignal<String>,
    verdict: RwSignal<String>,
    text: RwSignal<String>,
}

impl Filter {
    pub(crate) fn new() -> Self {
        let empty = || RwSignal::new(String::new());
        Self { department: empty(), verdict: empty(), text: empty() }
    }

    /// The people that pass, by name; tracked.
    pub(crate) fn people(self, panel: Panel) -> Vec<AgentId> {
        let (department, verdict, text) = (self.department.get(), self.verdict.get(), self.text.get().to_lowercase());
        panel.roster.with(|roster| {
            let group = roster.groups.iter().find(|group| group.slug == department);
            roster
                .by_name()
                .into_iter()
                .filter(|person| {
                    let id = person.profile.id;
                    let state = person.presence.as_ref().map(|presence| presence.effective.verdict.word());
                    group.is_none_or(|group| group.members.iter().any(|member| member.agent == id))
                        && (verdict.is_empty() || state == Some(verdict.as_str()))
                        && (text.is_empty() || person.profile.name.to_lowercase().contains(&text))
                })
                .map(|person| person.profile.id)
                .collect()
        })
    }
}

/// The fields of a filter.
#[component]
pub(crate) fn FilterFields(filter: Filter) -> impl IntoView {
    let panel = use_panel();
    let departments = Signal::derive(move || {
        let mut options = vec![(String::new(), "All departments".to_owned())];
        panel.roster.with(|roster| {
            options.extend(roster.groups.iter().map(|group| (group.slug.clone(), group.name.clone())));
        });
        options
    });
    let mut verdicts = vec![(String::new(), "All states".to_owned())];
    verdicts.extend(VERDICTS.map(|verdict| (verdict.word().to_owned(), verdict.word().to_owned())));
    view! {
        <div class="filters" role="search" aria-label="Filter people">
            <TextField label="Name" value=filter.text set=move |text| filter.text.set(text)/>
            <SelectField label="Department" options=departments value=filter.department set=move |slug| filter.department.set(slug)/>
            <SelectField
                label="State"
                options=Signal::stored(verdicts)
                value=filter.verdict
                set=move |word| filter.verdict.set(word)
            />
        </div>
    }
}

/// The team.
#[component]
pub(crate) fn Team() -> impl IntoView {
    let panel = use_panel();
    let filter = Filter::new();
    let opened = RwSignal::new(None::<AgentId>);
    let people = Memo::new(move |_| {
        let mut people = filter.people(panel);
        // Whoever is being changed stays in sight when the change takes them out of the filter.
        if let Some(open) = opened.get().filter(|open| !people.contains(open)) {
            people.push(open);
        }
        people
    });
    let line = Signal::derive(move || panel.roster.with(summary).unwrap_or_else(|| "Reading the team…".to_owned()));
    let hidden = move || {
        let all = panel.roster.with(|roster| roster.people.len());
        (people.with(Vec::is_empty) && all > 0).then(|| format!("Nobody fits the filter; {all} are hidden by it."))
    };
    view! {
        <PageTitle title="Team" line=line/>
        <FilterFields filter=filter/>
        <section class="card card-table" aria-label="People">
            <div class="table-scroll" role="region" aria-label="Team, scrollable" tabindex="0">
                <table class="log-table team-table" role="table" aria-label="Team">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th scope="col" role="columnheader">"Name"</th>
                            <th scope="col" role="columnheader">"State"</th>
                            <th scope="col" role="columnheader">"Time in state"</th>
                            <th scope="col" role="columnheader">"Why"</th>
                            <th scope="col" role="columnheader">"Devices"</th>
                            <th scope="col" role="columnheader">"Departments"</th>
                            <th scope="col" role="columnheader">"Ext."</th>
                            <th scope="col" role="columnheader"><span class="sr-only">"Actions"</span></th>
                        </tr>
                    </thead>
                    <For each=move || people.get() key=|id| *id let:id>
                        <Row id=id opened=opened/>
                    </For>
                </table>
            </div>
            {move || hidden().map(|text| view! { <p class="empty">{text}</p> })}
        </section>
    }
}

#[component]
fn Row(id: AgentId, opened: RwSignal<Option<AgentId>>) -> impl IntoView {
    let panel = use_panel();
    let person = Memo::new(move |_| panel.roster.with(|roster| roster.people.get(&id).cloned()));
    let departments = Memo::new(move |_| panel.roster.with(|roster| departments(roster, id)));
    let verdict = Memo::new(move |_| {
        person.with(|person| presence_of(person.as_ref()).map(|presence| presence.effective.verdict))
    });
    let badge = move || match verdict.get() {
        Some(verdict) => view! { <VerdictBadge verdict=verdict/> }.into_any(),
        None => view! { <span class="muted">"Not known yet"</span> }.into_any(),
    };
    let is_open = Memo::new(move |_| opened.get() == Some(id));
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
    let name = Memo::new(move |_| {
        person.with(|person| person.as_ref().map(|person| person.profile.name.clone()).unwrap_or_default())
    });
    let role = move || person.with(|person| person.as_ref().map(|person| role(person.profile.role)));
    let extension = move || {
        person.with(|person| {
            person.as_ref().and_then(|person| person.profile.extension.as_ref().map(|ext| ext.as_str().to_owned()))
        })
    };
    view! {
        <tbody role="rowgroup" class:row-open=move || is_open.get()>
            <tr role="row">
                <th scope="row" role="rowheader">{move || name.get()}<span class="cell-second">{role}</span></th>
                <td role="cell">{badge}</td>
                <td class="figures" role="cell">{time}</td>
                <td role="cell">{why}</td>
                <td role="cell">{devices}</td>
                <td role="cell">{move || departments.get()}</td>
                <td class="figures" role="cell">{extension}</td>
                <td role="cell">
                    <button
                        type="button"
                        class="btn btn-sm"
                        aria-label=move || format!("Change: {}", name.get())
                        aria-expanded=move || is_open.get().to_string()
                        on:click=move |_| opened.update(|opened| *opened = (*opened != Some(id)).then_some(id))
                    >
                        "Change"
                    </button>
                </td>
            </tr>
            <Show when=move || is_open.get()>
                <tr class="why-row" role="row">
                    <td colspan="8" role="cell"><PersonPanel id=id/></td>
                </tr>
            </Show>
        </tbody>
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
            let parts = [
                presence.reason.as_deref().map(reason_words),
                until(presence.until),
                Some(set(&presence.actor.name, presence.source)),
            ];
            return parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        }
        Verdict::NoDevice => return "On, but nothing of theirs can ring".to_owned(),
        Verdict::OffSchedule => {
            let back = presence.facts.schedule.changes_at.map(|at| format!("Back {}", panel.clock(at)));
            return back.unwrap_or_default();
        }
        Verdict::Available | Verdict::Ringing | Verdict::OnCall | Verdict::AfterCallWork | Verdict::Disabled => None,
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
        .groups
        .iter()
        .filter(|department| department.members.iter().any(|member| member.agent == id))
        .map(|department| department.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// `2 of 9 can take a call now.`; none before the first picture.
fn summary(roster: &Roster) -> Option<String> {
    roster.me?;
    let reachable = roster
        .people
        .values()
        .filter(|person| person.presence.as_ref().is_some_and(|presence| presence.effective.reachable_by_queue))
        .count();
    Some(format!(
        "{reachable} of {} can take a call now.",
        duration::count(roster.people.len() as u64, "person").replace("persons", "people")
    ))
}
