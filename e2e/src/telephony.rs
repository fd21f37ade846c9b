//! How an office is joined to the telephone network: the settings over HTTP, desk phones that register, a carrier that
//! takes outgoing calls, and call flows.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::office::Office;
use crate::phone::{Line, Softphone, State};
use crate::stack::SOON;
use crate::wait::until;

/// Numbers of the outside world begin like this: a range kept for stories and tests.
pub const OUTSIDE: &str = "+4477009";

/// Two who talk: a caller and a person at a desk phone.
#[derive(Debug)]
pub struct Talk {
    /// The caller's end.
    pub caller: Line,
    /// The person's end.
    pub person: Line,
    /// The call's id.
    pub uid: String,
}

impl Talk {
    /// Waits until both hear each other, and neither the own tone nor any of `not`.
    pub async fn expect_both_hear(&self, caller: f64, person: f64, not: &[f64]) -> Result<()> {
        self.person.expect_hears(caller, not, SOON).await?;
        self.caller.expect_hears(person, not, SOON).await
    }
}

impl Office<'_> {
    /// Brings a caller to a person who answers at a desk phone, and waits until both hear each other.
    pub async fn connect(&self, caller: &Softphone, number: &str, phone: &Softphone) -> Result<Talk> {
        let before = phone.calls();
        let line = caller.dial(number)?;
        let person = phone.expect_call(before, SOON).await?;
        if person.state() == State::Ringing {
            person.answer()?;
        }
        line.expect_answered(SOON).await?;
        let record = self
            .expect_logged(&format!("the call from {}", caller.number), |call| {
                call["from"]["number"] == caller.number.as_str() && call["state"] == "connected"
            })
            .await?;
        let uid = record["uid"].as_str().context("no uid")?.to_owned();
        let talk = Talk { caller: line, person, uid };
        talk.expect_both_hear(caller.tone, phone.tone, &[]).await?;
        Ok(talk)
    }

    /// A call's record.
    pub async fn call(&self, uid: &str) -> Result<Value> {
        let mut answer = self.admin.read(&format!("/core/calls/{uid}")).await?;
        Ok(if answer["call"].is_object() { answer["call"].take() } else { answer })
    }

    /// Waits until a call's record has ended.
    pub async fn expect_ended(&self, uid: &str) -> Result<Value> {
        until(&format!("the end of the record of {uid}"), SOON, async || {
            let call = self.call(uid).await?;
            ensure!(call["state"] == "ended", "{call:#}");
            Ok(call)
        })
        .await
    }

    /// The telephony settings.
    pub async fn telephony(&self) -> Result<Value> {
        self.admin.read("/core/telephony").await
    }

    /// Changes the telephony settings, which hold when this returns.
    pub async fn change_telephony(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let mut telephony = self.telephony().await?;
        change(&mut telephony);
        let answer = self.send(Method::PUT, "/core/telephony", &telephony).await?;
        ensure!(answer.status == 200, "PUT /core/telephony: {} {}", answer.status, answer.text());
        Ok(())
    }

    /// A carrier that takes the calls going out to [`OUTSIDE`], and answers each until it is told otherwise.
    pub async fn carrier(&self, tone: f64) -> Result<Softphone> {
        let carrier = Softphone::open("carrier", self.stack.sip, tone)?;
        self.send_out_by(&[carrier.port]).await?;
        Ok(carrier)
    }

    /// Sends calls to [`OUTSIDE`] to these ports on loopback, in this order.
    pub async fn send_out_by(&self, ports: &[u16]) -> Result<()> {
        let trunk = self.trunk().await?;
        let targets: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        self.change_telephony(|telephony| {
            telephony["outbound"] = json!([{ "trunk": trunk, "targets": targets, "options_seconds": 0 }]);
            telephony["guard"]["prefixes"] = json!([OUTSIDE]);
        })
        .await
    }

    /// The id of the one trunk there is.
    pub async fn trunk(&self) -> Result<Value> {
        let trunks = self.admin.read("/core/trunks").await?;
        let id = trunks["trunks"][0]["id"].clone();
        ensure!(id.is_string(), "no trunk: {trunks:#}");
        Ok(id)
    }

    /// Gives a person a desk phone under this user name and makes its password.
    pub async fn give_phone(&self, who: &str, user: &str) -> Result<String> {
        let agent = self.stack.person(who)?.uuid.clone();
        self.change_telephony(|telephony| {
            if let Some(phones) = telephony["phones"].as_array_mut() {
                phones.retain(|phone| phone["username"] != user);
                phones.push(json!({ "username": user, "agent": agent, "rings": true }));
            }
        })
        .await?;
        let answer = self.admin.post(&format!("/core/phones/{user}/password"), &json!({})).await?;
        ensure!(answer.status == 201, "the password of {user}: {} {}", answer.status, answer.text());
        answer.json()?["password"].as_str().map(str::to_owned).context("no password")
    }

    /// A desk phone of a person, registered and ready to ring.
    pub async fn desk_phone(&self, who: &str, user: &str, tone: f64) -> Result<Softphone> {
        let password = self.give_phone(who, user).await?;
        let phone = Softphone::open(user, self.stack.sip, tone)?;
        phone.register_well(user, &password).await?;
        self.expect_devices(who, 1).await?;
        Ok(phone)
    }

    /// Waits until a person has at least so many devices that can ring.
    pub async fn expect_devices(&self, who: &str, count: u64) -> Result<()> {
        until(&format!("{count} devices of {who}"), SOON, async || {
            let devices = self.devices(who).await?;
            ensure!(devices >= count, "there are {devices}");
            Ok(())
        })
        .await
    }

    /// How many devices of a person can ring.
    pub async fn devices(&self, who: &str) -> Result<u64> {
        let presence = self.admin.read(&self.of(who, "presence")?).await?;
        presence["effective"]["devices_ready"].as_u64().with_context(|| format!("no count: {presence}"))
    }

    /// Waits for a call of the log that fits, newest first.
    pub async fn expect_logged(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        until(&format!("a record of {what}"), SOON, async || {
            let calls = self.admin.calls(50).await?;
            calls.iter().find(|call| fits(call)).cloned().with_context(|| {
                let newest: Vec<&Value> = calls.iter().take(3).collect();
                format!("not among {} calls; the newest: {newest:#?}", calls.len())
            })
        })
        .await
    }

    /// Waits until no call is left.
    pub async fn expect_no_calls(&self) -> Result<()> {
        until("no call to be left", SOON, async || {
            let active = self.admin.metric("cordboard_calls_active").await?;
            ensure!(active == 0.0, "{active} are");
            Ok(())
        })
        .await
    }

    /// Changes a flow's draft, and publishes it; gives the number of the new version.
    pub async fn publish(&self, flow: &str, change: impl FnOnce(&mut Value)) -> Result<u64> {
        let path = format!("/core/flows/{flow}");
        let mut draft = self.admin.read(&format!("{path}/draft")).await?["flow"].take();
        change(&mut draft);
        let saved = self.send(Method::PUT, &format!("{path}/draft"), &draft).await?;
        ensure!(saved.status.is_success(), "the draft of {flow}: {} {}", saved.status, saved.text());
        let published = self.admin.post(&format!("{path}/publish"), &json!({ "note": "a journey" })).await?;
        ensure!(published.status.is_success(), "publishing {flow}: {} {}", published.status, published.text());
        let published = published.json()?;
        let version = published["version"].as_u64().or(published["flow"]["version"].as_u64());
        version.with_context(|| format!("no version: {published:#}"))
    }
}

/// Whether a record's journey holds a step.
pub fn has_step(call: &Value, what: &str) -> bool {
    call["steps"].as_array().into_iter().flatten().any(|step| step["what"] == what)
}
