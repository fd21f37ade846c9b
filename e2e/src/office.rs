//! The office a routing journey works in: the policy over HTTP, people at desks without browsers, callers on the wire,
//! and what the ledger says of each call.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Answer, Api};
use crate::desk::{Desk, Said};
use crate::journey::Journey;
use crate::phone::{Caller, Plan};
use crate::stack::{Options, SOON, Stack};
use crate::wait::until;

/// The number of the department Support.
pub const SUPPORT: &str = "+442079460102";
/// Asha's own number.
pub const ASHA_DIRECT: &str = "+442079460103";
/// How long a caller who means to give up hears it ring.
const RINGS: Duration = Duration::from_millis(1_800);
/// How long a caller stays with a machine.
const MOMENT: Duration = Duration::from_millis(400);

/// A server, and an admin's hand on it.
#[derive(Debug)]
pub struct Office<'a> {
    /// The journey it belongs to.
    pub journey: &'a Journey,
    /// The server.
    pub stack: Arc<Stack>,
    /// The API as the admin uses it.
    pub admin: Api,
}

/// One member's line in a decision, as a journey expects it.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// First name.
    pub who: &'a str,
    /// The reason.
    pub reason: &'a str,
    /// The cell of the matrix.
    pub cell: &'a str,
}

/// Shorthand for a [`Line`].
pub fn line<'a>(who: &'a str, reason: &'a str, cell: &'a str) -> Line<'a> {
    Line { who, reason, cell }
}

impl<'a> Office<'a> {
    /// Opens the office, without limits on how often the API is asked.
    pub async fn open(journey: &'a Journey) -> Result<Self> {
        Self::open_with(journey, &[]).await
    }

    /// The same with more arguments of `cordboard serve`.
    pub async fn open_with(journey: &'a Journey, arguments: &[&str]) -> Result<Self> {
        let arguments = ["--no-rate-limits"].iter().chain(arguments).map(|&it| it.to_owned()).collect();
        let stack = journey.stack_with(Options { arguments }).await?;
        let admin = stack.api_as("Meera")?;
        Ok(Self { journey, stack, admin })
    }

    /// The routing policy as it is.
    pub async fn policy(&self) -> Result<Value> {
        self.admin.read("/core/policy").await
    }

    /// Changes the routing policy, which is obeyed when this returns.
    pub async fn change_policy(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let mut policy = self.policy().await?;
        change(&mut policy);
        let answer = self.send(Method::PUT, "/core/policy", &policy).await?;
        ensure!(answer.status == 200, "PUT /core/policy: {} {}", answer.status, answer.text());
        Ok(())
    }

    /// Changes the department Support.
    pub async fn change_support(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        self.change_policy(|policy| {
            let departments = policy["departments"].as_array_mut().into_iter().flatten();
            departments.filter(|it| it["slug"] == "support").take(1).for_each(change_once(change));
        })
        .await
    }

    /// Sends a JSON body as the admin.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Answer> {
        let kind = [("content-type", "application/json")];
        self.admin.send(method, path, &kind, Some(body.to_string().into_bytes())).await
    }

    /// The path below a person's, found by their first name.
    pub fn of(&self, who: &str, place: &str) -> Result<String> {
        Ok(format!("/core/agents/{}/{place}", self.stack.person(who)?.uuid))
    }

    /// Sets a person's toggle by the person's own token.
    pub async fn toggle(&self, who: &str, state: i64) -> Result<Value> {
        let person = self.stack.person(who)?;
        let answer = self.stack.api_as(who)?.toggle(&person.uuid, state).await?;
        ensure!(answer.status == 200, "the toggle of {who}: {} {}", answer.status, answer.text());
        answer.json()
    }

    /// Sets (with a body) or ends (without) another fact of a person, by the person's own token or the admin's.
    pub async fn fact(&self, by: &str, who: &str, fact: &str, set: Option<Value>) -> Result<Answer> {
        let api = self.stack.api_as(by)?;
        let path = self.of(who, fact)?;
        let kind = [("content-type", "application/json")];
        let answer = match set {
            Some(body) => api.send(Method::PUT, &path, &kind, Some(body.to_string().into_bytes())).await?,
            None => api.send(Method::DELETE, &path, &[], None).await?,
        };
        ensure!(answer.status.is_success(), "{fact} of {who} by {by}: {} {}", answer.status, answer.text());
        Ok(answer)
    }

    /// Places a call.
    pub fn dial(&self, from: &str, number: &str, plan: Plan) -> Result<Caller> {
        Caller::dial(self.journey, from, number, self.stack.sip, plan)
    }

    /// A call that must ring at this desk by this row, with this reason and cell; then the caller gives up.
    pub async fn expect_rings(&self, desk: &Desk, from: &str, number: &str, wanted: Line<'_>) -> Result<Said> {
        let mark = desk.mark();
        let caller = self.dial(from, number, Plan::GivesUp(RINGS))?;
        let ring = match desk.expect_ring(mark, from).await {
            Ok(ring) => ring,
            Err(error) => return Err(error.context(self.reasons(from).await)),
        };
        let call = ring.data["call"].as_str().context("a ring without a call")?;
        self.expect_line(call, wanted).await?;
        caller.over(SOON).await?;
        Ok(ring)
    }

    /// What the ledger says of a caller's newest call, for the trace.
    async fn reasons(&self, from: &str) -> String {
        let reasons = async || {
            let calls = self.admin.calls(10).await?;
            let call =
                calls.iter().find(|call| call["from"]["number"] == from).context("the call is not in the log")?;
            let decisions = self.admin.decisions(call["uid"].as_str().unwrap_or_default()).await?;
            anyhow::Ok(format!("{decisions:#?}\n{call:#}"))
        };
        reasons().await.unwrap_or_else(|error| format!("{error:#}"))
    }

    /// A call that must reach a voicemail box, with these reasons on the way, and ring at none of these desks.
    pub async fn expect_voicemail(
        &self,
        from: &str,
        number: &str,
        silent: &[&Desk],
        lines: &[Line<'_>],
    ) -> Result<Value> {
        let marks: Vec<usize> = silent.iter().map(|desk| desk.mark()).collect();
        self.dial(from, number, Plan::Talks(MOMENT))?.over(SOON).await?;
        let call = self.ended_call(from).await?;
        let uid = call["uid"].as_str().context("a call without uid")?;
        for wanted in lines {
            self.expect_line(uid, *wanted).await?;
        }
        let decisions = self.admin.decisions(uid).await?;
        let last = decisions.last().context("no decision")?;
        ensure!(last["then"] == "voicemail", "it did not go to voicemail: {decisions:#?}");
        for (desk, mark) in silent.iter().zip(marks) {
            desk.expect_silent(mark, from)?;
        }
        Ok(call)
    }

    /// Waits for a person's line in the decisions of a call.
    pub async fn expect_line(&self, call: &str, wanted: Line<'_>) -> Result<Value> {
        let agent = self.stack.person(wanted.who)?.uuid.clone();
        until(&format!("{wanted:?} in the ledger of {call}"), SOON, async || {
            let decisions = self.admin.decisions(call).await?;
            let members = decisions.iter().flat_map(|decision| decision["members"].as_array().into_iter().flatten());
            let mut mine = members.filter(|member| member["agent"] == agent.as_str());
            let found = mine.find(|it| it["reason"] == wanted.reason && it["cell"] == wanted.cell).cloned();
            found.with_context(|| format!("{decisions:#?}"))
        })
        .await
    }

    /// Waits for the ended call of a caller.
    pub async fn ended_call(&self, from: &str) -> Result<Value> {
        until(&format!("the ended call from {from}"), SOON, async || {
            let calls = self.admin.calls(50).await?;
            let mut theirs = calls.iter().filter(|call| call["from"]["number"] == from && call["state"] == "ended");
            theirs.next().cloned().with_context(|| format!("not among {} calls", calls.len()))
        })
        .await
    }

    /// The line of Support: who waits, in order.
    pub async fn support_line(&self) -> Result<Vec<Value>> {
        let support = self.stack.demo.departments.iter().find(|it| it.slug == "support").context("no Support")?;
        let mut view = self.admin.read(&format!("/core/departments/{}/line", support.uuid)).await?;
        match view["callers"].take() {
            Value::Array(callers) => Ok(callers),
            other => anyhow::bail!("no line: {other}"),
        }
    }

    /// Waits until the line of Support is of these callers, first first.
    pub async fn expect_support_line(&self, wanted: &[&str]) -> Result<Vec<Value>> {
        until(&format!("{wanted:?} in line"), SOON, async || {
            let callers = self.support_line().await?;
            let numbers: Vec<&str> = callers.iter().map(|caller| caller["from"].as_str().unwrap_or("?")).collect();
            ensure!(numbers == wanted, "the line is {callers:#?}");
            Ok(callers)
        })
        .await
    }

    /// A block that ends by hand.
    pub fn block(reason: &str) -> Value {
        json!({ "reason": reason })
    }
}

fn change_once(change: impl FnOnce(&mut Value)) -> impl FnMut(&mut Value) {
    let mut change = Some(change);
    move |value| {
        if let Some(change) = change.take() {
            change(value);
        }
    }
}
