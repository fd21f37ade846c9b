//! Everything about one department, in groups of fields.

use cordboard_shared::department::{
    Department, Fallback, RecordingRule, Relax, SkillNeed, Sticky, StickyMode, Strategy,
};
use cordboard_shared::id::DepartmentId;
use leptos::prelude::*;

use super::audio_field::{Library, Player};
use super::conditions::Conditions;
use super::editor::Editor;
use super::fallback::{FallbackField, FallbackList};
use super::form::{CheckField, Findings, NumberField, SelectField, TextField, options};
use super::hours::HoursFields;
use super::members::Members;
use super::reach::ReachPatchFields;
use crate::model::draft;
use crate::panel::use_panel;

const METHODS: [(&str, &str); 3] = [
    ("serial", "Serial: one after the other, in order"),
    ("simultaneous", "Simultaneous: several at once, in waves"),
    ("balanced", "Balanced: the longest idle first"),
];
const STICKY: [(&str, &str); 3] = [
    ("none", "No: anybody"),
    ("loose", "Loose: the same person first, then others"),
    ("strict", "Strict: the same person only"),
];

/// One field of a department, as signals: what it is, how it is set, and its place in the document.
#[derive(Clone, Copy)]
struct Field {
    editor: Editor,
    id: DepartmentId,
}

impl Field {
    fn get<T: Default + PartialEq + Send + Sync + 'static>(self, look: fn(&Department) -> T) -> Signal<T> {
        Memo::new(move |_| self.editor.department(self.id, look)).into()
    }

    fn set<T: 'static>(self, change: fn(&mut Department, T)) -> Callback<T> {
        Callback::new(move |value| self.editor.edit_department(self.id, |department| change(department, value)))
    }

    fn at(self, place: &'static str) -> Signal<String> {
        Signal::derive(move || format!("{}/{place}", self.editor.pointer(self.id)))
    }
}

/// The fields of a department.
#[component]
pub(crate) fn DepartmentFields(id: DepartmentId) -> impl IntoView {
    let editor: Editor = expect_context();
    let field = Field { editor, id };
    let name = field.get(|one| one.name.clone());
    let remove = move |_| editor.edit(|policy| policy.departments.retain(|one| one.id != id));
    view! {
        <section class="department" aria-label=move || format!("Department {}", name.get())>
            <div class="two-columns">
                <Ringing field=field/>
                <section class="card" aria-labelledby="members-title">
                    <h2 id="members-title">"Members"</h2>
                    <Members id=id/>
                </section>
                <Waiting field=field/>
                <section class="card" aria-labelledby="fallback-title">
                    <h2 id="fallback-title">"When nobody answers"</h2>
                    <FallbackList id=id/>
                </section>
                <section class="card" aria-labelledby="rules-title">
                    <h2 id="rules-title">"Rules that come first"</h2>
                    <Conditions id=id/>
                </section>
                <StickyFields field=field/>
                <Skills field=field/>
                <section class="card" aria-labelledby="hours-title">
                    <h2 id="hours-title">"Opening hours and days off"</h2>
                    <HoursFields
                        value=field.get(|one| one.hours.clone())
                        set=field.set(|one, hours| one.hours = hours)
                        holidays=true
                    />
                    <Findings at=field.at("hours") below=true/>
                    <Closed field=field/>
                </section>
                <Sound field=field/>
                <section class="card" aria-labelledby="department-reach-title">
                    <h2 id="department-reach-title">"Reach of its calls"</h2>
                    <p class="muted">"What this department's own calls may reach. Narrower than the account, never wider."</p>
                    <ReachPatchFields value=field.get(|one| one.reach.clone()) set=field.set(|one, patch| one.reach = patch)/>
                    <Findings at=field.at("reach") below=true/>
                </section>
            </div>
            <button type="button" class="btn btn-sm" on:click=remove>"Remove this department"</button>
        </section>
    }
}

#[component]
fn Ringing(field: Field) -> impl IntoView {
    let method = field.get(|one| one.strategy.as_str().to_owned());
    view! {
        <section class="card" aria-labelledby="ringing-title">
            <h2 id="ringing-title">"Ringing"</h2>
            <Findings at=Signal::derive(move || field.editor.pointer(field.id))/>
            <TextField label="Name" value=field.get(|one| one.name.clone()) set=field.set(|one, name| one.name = name) at=field.at("name")/>
            <TextField
                label="Short name"
                hint="In addresses and settings; letters, digits and hyphens."
                value=field.get(|one| one.slug.clone())
                set=field.set(|one, slug| one.slug = slug)
                at=field.at("slug")
            />
            <SelectField
                label="Method"
                options=options(&METHODS)
                value=method
                set=field.set(|one, word: String| {
                    one.strategy = match word.as_str() {
                        "simultaneous" => Strategy::Simultaneous,
                        "balanced" => Strategy::Balanced,
                        _ => Strategy::Serial,
                    };
                })
                at=field.at("strategy")
            />
            <NumberField
                label="Ring time (seconds)" min=10 max=60 hint="How long one member rings: 10 to 60."
                value=field.get(|one| one.ring_seconds) set=field.set(|one, number| one.ring_seconds = number)
                at=field.at("ring_seconds")
            />
            <Show when=move || method.get() == "simultaneous">
                <NumberField
                    label="Wave" min=1 max=25 hint="How many ring at once; the others follow as the next wave."
                    value=field.get(|one| one.wave) set=field.set(|one, number| one.wave = number) at=field.at("wave")
                />
            </Show>
            <NumberField
                label="After-call work (seconds)" min=0 max=300 hint="0 to 300. Done ends it sooner, +30 s once more."
                value=field.get(|one| one.wrap_up_seconds) set=field.set(|one, number| one.wrap_up_seconds = number)
                at=field.at("wrap_up_seconds")
            />
        </section>
    }
}

#[component]
fn Waiting(field: Field) -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="waiting-title">
            <h2 id="waiting-title">"Waiting"</h2>
            <NumberField
                label="Longest wait (seconds)" min=0 max=3600 hint="For somebody busy; then what follows when nobody answers."
                value=field.get(|one| one.max_wait_seconds) set=field.set(|one, number| one.max_wait_seconds = number)
                at=field.at("max_wait_seconds")
            />
            <NumberField
                label="Weight" min=1 max=10 hint="How much a wait here counts against one elsewhere, for people in several departments."
                value=field.get(|one| one.weight) set=field.set(|one, number| one.weight = number) at=field.at("weight")
            />
            <NumberField
                label="Announce place and wait every (seconds)" min=0 max=300 hint="15 to 300; 0 is never."
                value=field.get(|one| one.announce_seconds) set=field.set(|one, number| one.announce_seconds = number)
                at=field.at("announce_seconds")
            />
            <CheckField
                label="A waiting caller may press 1 to be called back"
                value=field.get(|one| one.callback)
                set=field.set(|one, on| one.callback = on)
                hint=Signal::stored("The callback keeps the caller's place in the line and cannot jump it.".to_owned())
            />
        </section>
    }
}

/// Music, recording, and the number shown.
#[component]
fn Sound(field: Field) -> impl IntoView {
    let panel = use_panel();
    let library: Library = expect_context();
    library.ensure();
    let music = field.get(|one| one.music.trim_start_matches("audio:").to_owned());
    let musics = Signal::derive(move || {
        let mut options = vec![("default".to_owned(), "The usual music".to_owned())];
        library.0.with(|list| {
            if let Some(Ok(list)) = list {
                options.extend(list.audio.iter().map(|file| (file.id.to_string(), file.name.clone())));
            }
        });
        let now = music.get();
        if !options.iter().any(|(key, _)| *key == now) {
            options.push((now.clone(), now));
        }
        options
    });
    let recorded = field.get(|one| one.recording == RecordingRule::On);
    let shown = Signal::derive(move || {
        let mut options = vec![(String::new(), "The number of the trunk".to_owned())];
        panel.roster.with(|roster| {
            options.extend(roster.numbers.iter().map(|one| {
                let number = one.number.as_str().to_owned();
                (number.clone(), format!("{number} · {}", one.label))
            }));
        });
        options
    });
    view! {
        <section class="card" aria-labelledby="sound-title">
            <h2 id="sound-title">"Sound and number"</h2>
            <SelectField
                label="Music on hold" options=musics value=music
                set=field.set(|one, key: String| one.music = key) at=field.at("music")
            />
            <Player prompt=Signal::derive(move || format!("audio:{}", music.get())) label="Listen to the music"/>
            <SelectField
                label="Number shown on outgoing calls" options=shown
                value=field.get(|one| one.caller_id.as_ref().map(|number| number.as_str().to_owned()).unwrap_or_default())
                set=field.set(|one, key: String| one.caller_id = key.parse().ok()) at=field.at("caller_id")
            />
            <CheckField
                label="Record its calls"
                value=recorded
                set=field.set(|one, on: bool| one.recording = if on { RecordingRule::On } else { RecordingRule::Off })
                hint=Signal::derive(move || if recorded.get() {
                    "Both sides hear the announcement, then each is kept in a channel of its own."
                } else {
                    "Its calls are not recorded."
                }.to_owned())
            />
        </section>
    }
}

#[component]
fn StickyFields(field: Field) -> impl IntoView {
    let mode = field.get(|one| {
        let word = match one.sticky.as_ref().map(|sticky| sticky.mode) {
            None => "none",
            Some(StickyMode::Loose) => "loose",
            Some(StickyMode::Strict) => "strict",
        };
        word.to_owned()
    });
    let set_mode = field.set(|one: &mut Department, word: String| {
        let old = one.sticky.take();
        let mode = match word.as_str() {
            "loose" => StickyMode::Loose,
            "strict" => StickyMode::Strict,
            _ => return,
        };
        let fallback = old.as_ref().and_then(|old| old.fallback.clone()).filter(|_| mode == StickyMode::Strict);
        one.sticky = Some(Sticky { mode, hours: old.map_or(72, |old| old.hours), fallback });
    });
    let fallback = field.get(|one| one.sticky.as_ref().and_then(|sticky| sticky.fallback.clone()));
    view! {
        <section class="card" aria-labelledby="sticky-title">
            <h2 id="sticky-title">"Sticky agent"</h2>
            <SelectField label="Back to the person who helped" options=options(&STICKY) value=mode set=set_mode at=field.at("sticky")/>
            <Show when=move || mode.get() != "none">
                <NumberField
                    label="Memory (hours)" min=1 max=8760
                    value=field.get(|one| one.sticky.as_ref().map_or(0, |sticky| sticky.hours))
                    set=field.set(|one, hours| if let Some(sticky) = one.sticky.as_mut() { sticky.hours = hours })
                    at=field.at("sticky/hours")
                />
            </Show>
            <Show when=move || mode.get() == "strict">
                <OptionalFallback
                    label="When that person cannot take the call"
                    none="The department's voicemail"
                    value=fallback
                    set=field.set(|one, link| if let Some(sticky) = one.sticky.as_mut() { sticky.fallback = link })
                />
                <Findings at=field.at("sticky/fallback") below=true/>
            </Show>
        </section>
    }
}

#[component]
fn Closed(field: Field) -> impl IntoView {
    view! {
        <OptionalFallback
            label="When it is closed"
            none="As when nobody answers"
            value=field.get(|one| one.closed.clone())
            set=field.set(|one, link| one.closed = link)
        />
        <Findings at=field.at("closed") below=true/>
    }
}

/// A link of a chain, or none.
#[component]
fn OptionalFallback(
    label: &'static str,
    none: &'static str,
    value: Signal<Option<Fallback>>,
    set: Callback<Option<Fallback>>,
) -> impl IntoView {
    let own = Memo::new(move |_| value.with(Option::is_some));
    view! {
        <SelectField
            label=label
            options=Signal::stored(vec![("none".to_owned(), none.to_owned()), ("own".to_owned(), "Something of its own".to_owned())])
            value=Signal::derive(move || if own.get() { "own" } else { "none" }.to_owned())
            set=move |word: String| set.run((word == "own").then_some(Fallback::Disconnect))
        />
        <Show when=move || own.get()>
            <FallbackField
                label=label
                value=Signal::derive(move || value.get().unwrap_or(Fallback::Disconnect))
                set=move |link| set.run(Some(link))
            />
        </Show>
    }
}

#[component]
fn Skills(field: Field) -> impl IntoView {
    let count = field.get(|one| one.needs.len());
    let add = field.set(|one: &mut Department, need: SkillNeed| one.needs.push(need));
    view! {
        <section class="card" aria-labelledby="skills-title">
            <h2 id="skills-title">"Skills its calls need"</h2>
            <p class="empty" hidden=move || { count.get() > 0 }>"None: every member fits."</p>
            <ul class="needs">
                <For each=move || 0..count.get() key=|index| *index let:index>
                    <Need field=field index=index/>
                </For>
            </ul>
            <button
                type="button"
                class="btn btn-sm"
                on:click=move |_| add.run(SkillNeed { skill: String::new(), level: 1, relax: Vec::new() })
            >
                "Add a skill"
            </button>
            <Findings at=field.at("needs")/>
        </section>
    }
}

#[component]
fn Need(field: Field, index: usize) -> impl IntoView {
    let Field { editor, id } = field;
    let need = Memo::new(move |_| editor.department(id, |one| one.needs.get(index).cloned()));
    let change = move |change: &dyn Fn(&mut SkillNeed)| {
        editor.edit_department(id, |one| {
            if let Some(need) = one.needs.get_mut(index) {
                change(need);
            }
        });
    };
    let wrong = RwSignal::new(None::<String>);
    let relaxing = move || {
        let steps = need.with(|need| need.as_ref().map(|need| need.relax.clone()).unwrap_or_default());
        steps
            .iter()
            .map(|Relax { after_seconds, level }| format!("{after_seconds} {level}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    view! {
        <li><div class="row-group" role="group" aria-label=format!("Skill {}", index + 1)>
            <TextField
                label="Skill"
                value=Signal::derive(move || need.with(|need| need.as_ref().map(|need| need.skill.clone()).unwrap_or_default()))
                set=move |text: String| change(&|need| text.trim().clone_into(&mut need.skill))
            />
            <NumberField
                label="Level" min=1 max=10
                value=Signal::derive(move || need.with(|need| need.as_ref().map_or(1, |need| u32::from(need.level))))
                set=move |level: u32| change(&|need| need.level = u8::try_from(level).unwrap_or(10))
            />
            <TextField
                label="Relaxes after"
                hint="Seconds and the level needed from then on: 60 2, 120 0"
                value=Signal::derive(relaxing)
                set=move |text: String| match draft::relaxing(&text) {
                    Ok(steps) => {
                        wrong.set(None);
                        change(&|need| need.relax.clone_from(&steps));
                    }
                    Err(why) => wrong.set(Some(why)),
                }
            />
            {move || wrong.get().map(|why| view! { <p class="tone-bad" role="alert">{why}</p> })}
            <Findings at=Signal::derive(move || format!("{}/needs/{index}", editor.pointer(id))) below=true/>
            <button
                type="button"
                class="btn btn-sm"
                on:click=move |_| editor.edit_department(id, |one| if index < one.needs.len() { one.needs.remove(index); })
            >
                "Remove the skill"
            </button>
        </div></li>
    }
}
