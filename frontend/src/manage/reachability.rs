//! The reachability matrix: what each call path does to a person in each state, and the settings behind it.

use cordboard_shared::api::availability::MatrixCell;
use gloo_net::http::Method;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::routing::SaveBar;
use super::settings::{AccountFields, ReachFields};
use crate::api;
use crate::components::page_title::PageTitle;
use crate::model::matrix;
use crate::panel::use_panel;

/// The matrix and its settings.
#[component]
pub(crate) fn Reachability() -> impl IntoView {
    let panel = use_panel();
    let cells = RwSignal::new(None::<Result<Vec<MatrixCell>, String>>);
    let chosen = RwSignal::new(None::<String>);
    Effect::new(move |_| {
        panel.policy_version.track();
        spawn_local(async move {
            let answer = api::ask(Method::GET, "/core/reachability", &[], None).await;
            let list = answer.and_then(|answer| answer.list("cells"));
            cells.set(Some(list.map_err(|error| error.sentence())));
        });
    });
    let body = move || match cells.get() {
        None => view! { <p class="empty" role="status">"Reading the matrix…"</p> }.into_any(),
        Some(Err(why)) => view! { <p class="empty tone-bad" role="alert">{why}</p> }.into_any(),
        Some(Ok(cells)) => table(&cells, chosen).into_any(),
    };
    view! {
        <PageTitle title="Reachability" line=Signal::stored("Which call reaches a person in which state. Hard stops hold whatever else is set.".to_owned())/>
        <SaveBar/>
        <section class="card card-table" aria-label="The matrix in force">
            {body}
        </section>
        <p class="card" role="status" aria-label="About the cell">
            {move || chosen.get().unwrap_or_else(|| "* can be changed by a setting · R rings or allowed · S skipped · V voicemail · F sticky fallback · X refused · H follow-up list · W waits · N not allowed · P by phone only · U untouched. Press a cell to read why it is so.".to_owned())}
        </p>
        <div class="two-columns">
            <ReachFields/>
            <AccountFields/>
        </div>
    }
}

fn table(cells: &[MatrixCell], chosen: RwSignal<Option<String>>) -> impl IntoView + use<> {
    let head = matrix::COLUMNS.map(|(_, word)| view! { <th scope="col">{word}</th> });
    let rows = matrix::ROWS
        .into_iter()
        .zip(1u8..)
        .map(|(name, row)| {
            let of_row = matrix::COLUMNS
                .iter()
                .map(|(column, _)| {
                    let name = format!("{row}/{column}");
                    one(cells.iter().find(|cell| cell.cell == name), row, column, chosen)
                })
                .collect_view();
            view! { <tr><th scope="row"><span class="figures">{row}</span>" "{name}</th>{of_row}</tr> }
        })
        .collect_view();
    view! {
        <div class="table-scroll" role="region" aria-label="Reachability matrix, scrollable" tabindex="0">
            <table class="log-table matrix" aria-label="Reachability matrix">
                <thead><tr><th scope="col">"Call path"</th>{head}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

fn one(cell: Option<&MatrixCell>, row: u8, column: &'static str, chosen: RwSignal<Option<String>>) -> AnyView {
    let Some(cell) = cell else { return view! { <td>"–"</td> }.into_any() };
    let letter = cell.letter;
    let path = matrix::cell(&cell.cell).unwrap_or_default();
    let rule = match &cell.setting {
        Some(setting) => format!("Set by: {}.", setting.replace('_', " ")),
        None => format!("Locked. {}", matrix::locked(row, column)),
    };
    let changed = letter != cell.default;
    let was = if changed { format!(" Without any setting: {}.", matrix::letter(cell.default)) } else { String::new() };
    let text = format!("{path}: {}. {rule}{was}", matrix::letter(letter));
    let label = text.clone();
    let class = match (&cell.setting, changed) {
        (None, _) => "cell cell-locked",
        (Some(_), true) => "cell cell-open cell-changed",
        (Some(_), false) => "cell cell-open",
    };
    view! {
        <td>
            <button type="button" class=class aria-label=label on:click=move |_| chosen.set(Some(text.clone()))>
                {letter.to_string()}
            </button>
        </td>
    }
    .into_any()
}
