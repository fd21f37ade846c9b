//! What the far side sends: answers to our requests, and requests of its own.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};

use super::super::line::Sounding;
use super::super::message::{Message, address, parameter, place, proof};
use super::super::srtp;
use super::{Call, Core, Direction, Manner, Pending, State, repeat};

impl Core {
    pub(in crate::phone::softphone) fn take(&mut self, from: SocketAddr, datagram: &[u8]) -> Result<()> {
        let Some(message) = Message::read(datagram) else { return Ok(()) };
        let cseq = message.header("cseq").unwrap_or_default().to_owned();
        self.note(&format!("<- {} ({cseq})", message.start));
        match message.status() {
            Some(status) => self.response(&message, status),
            None => self.called(from, &message),
        }
    }

    fn response(&mut self, message: &Message, status: u16) -> Result<()> {
        let (branch, (sequence, method)) = (message.branch(), message.sequence());
        let Some(place_of) = self.pending.iter().position(|it| it.branch == branch && it.method == method) else {
            // A 2xx again: its ACK was lost (RFC 3261 section 13.2.2.4).
            let id = message.header("call-id").unwrap_or_default();
            if let Some(index) = self.calls.iter().position(|it| it.id == id)
                && method == "INVITE"
                && (200..300).contains(&status)
            {
                self.acknowledge(index, sequence);
            }
            return Ok(());
        };
        if status < 200 {
            self.provisional(place_of, message, status);
            return Ok(());
        }
        let pending = self.pending.remove(place_of);
        if method == "INVITE" && status >= 300 {
            let to = message.header("to").unwrap_or_default();
            let lines = pending.headers.lines().filter(|line| line.starts_with("From") || line.starts_with("Call-ID"));
            let headers = lines.fold(format!("To: {to}\r\n"), |text, line| text + line + "\r\n");
            let text = self.text("ACK", &pending.uri, &pending.branch, &headers, sequence, None);
            self.send(pending.repeat.to, text);
        }
        if matches!(status, 401 | 407) && !pending.proven {
            return self.prove(pending, message);
        }
        match (method, pending.call) {
            ("REGISTER", _) => self.registered = Some(status),
            ("INVITE", Some(index)) => self.invite_answered(index, message, status, sequence),
            ("BYE", Some(index)) => self.calls[index].bye_status = Some(status),
            (_, _) => {}
        }
        Ok(())
    }

    fn provisional(&mut self, place_of: usize, message: &Message, status: u16) {
        let pending = &mut self.pending[place_of];
        pending.provisional = true;
        let Some(index) = pending.call.filter(|_| pending.method == "INVITE") else { return };
        let call = &mut self.calls[index];
        if call.gives_up {
            self.cancel(index);
            return;
        }
        if status >= 180 && call.state == State::Calling {
            call.state = State::Ringing;
        }
        if !message.body.is_empty() {
            self.learn(index, &message.body);
            self.aim(index);
        }
    }

    fn invite_answered(&mut self, index: usize, message: &Message, status: u16, sequence: u32) {
        let call = &mut self.calls[index];
        if status >= 300 {
            if !matches!(call.state, State::Up) {
                call.state = State::Over(status);
                call.sound = None;
            }
            return;
        }
        call.accepted_offers += 1;
        if call.state != State::Up {
            call.state = State::Up;
            message.header("to").unwrap_or_default().clone_into(&mut call.remote);
            call.routes = message.all("record-route").map(str::to_owned).collect();
            call.routes.reverse();
        }
        if let Some(contact) = message.header("contact") {
            address(contact).clone_into(&mut call.target);
        }
        self.learn(index, &message.body);
        self.aim(index);
        self.acknowledge(index, sequence);
        if self.calls[index].gives_up {
            // The answer crossed the CANCEL.
            self.within(index, "BYE", "", None);
            self.calls[index].state = State::Over(200);
        }
    }

    fn acknowledge(&mut self, index: usize, sequence: u32) {
        let branch = self.name("z9hG4bK");
        let call = &self.calls[index];
        let routes = call.routes.iter().fold(String::new(), |text, route| text + "Route: " + route + "\r\n");
        let headers = format!("From: {}\r\nTo: {}\r\nCall-ID: {}\r\n{routes}", call.local, call.remote, call.id);
        let to = call.routes.first().and_then(|route| place(address(route))).or_else(|| place(&call.target));
        let (to, uri) = (to.unwrap_or(call.from), call.target.clone());
        let text = self.text("ACK", &uri, &branch, &headers, sequence, None);
        self.send(to, text);
    }

    fn prove(&mut self, pending: Pending, message: &Message) -> Result<()> {
        let Some((user, password)) = self.sign_in.clone() else {
            if let Some(index) = pending.call {
                self.calls[index].state = State::Over(401);
            }
            return Ok(());
        };
        let status = message.status().unwrap_or(401);
        let (wanted, given) = if status == 401 {
            ("www-authenticate", "Authorization")
        } else {
            ("proxy-authenticate", "Proxy-Authorization")
        };
        let challenge = message.all(wanted).find(|it| it.contains("SHA-256")).context("no challenge by SHA-256")?;
        let proof = proof(challenge, pending.method, &pending.uri, &user, &password);
        let sequence = pending.sequence + 1;
        if let Some(call) = pending.call.and_then(|index| self.calls.get_mut(index)) {
            call.sequence = sequence;
        }
        let headers = format!("{}{given}: {proof}\r\n", pending.headers);
        let (call, to) = (pending.call, pending.repeat.to);
        self.request(pending.method, &pending.uri, headers, sequence, pending.body, call, to);
        if let Some(last) = self.pending.last_mut() {
            last.proven = true;
        }
        Ok(())
    }

    fn called(&mut self, from: SocketAddr, request: &Message) -> Result<()> {
        let (method, key) = (request.method().to_owned(), format!("{}{}", request.branch(), request.method()));
        if method != "ACK"
            && let Some((_, text)) = self.answered.iter().rev().find(|(it, _)| *it == key)
        {
            let text = text.clone();
            self.send(from, text);
            return Ok(());
        }
        self.requests.push(request.clone());
        let contact = self.contact();
        let id = request.header("call-id").unwrap_or_default();
        let tagged = parameter(request.header("to").unwrap_or_default(), "tag").is_some();
        let index = self.calls.iter().rposition(|call| call.id == id);
        if method == "INVITE" && !tagged {
            return self.rung(from, request, key);
        }
        let Some(index) = index else {
            if method != "ACK" {
                let status = if method == "OPTIONS" { 200 } else { 481 };
                let status = if self.manner == Manner::Silent { return Ok(()) } else { status };
                let text = request.response(status, "o", &contact, None);
                self.reply(from, key, text);
            }
            return Ok(());
        };
        if method == "ACK" {
            self.calls[index].unacknowledged = None;
            if !request.body.is_empty() {
                self.learn(index, &request.body);
                self.aim(index);
            }
            return Ok(());
        }
        let tag = self.calls[index].tag.clone();
        let mut sdp = None;
        match method.as_str() {
            "BYE" => {
                self.calls[index].state = State::Over(200);
            }
            "CANCEL" if self.calls[index].state == State::Ringing => self.refuse(index, 487)?,
            "INVITE" | "UPDATE" => {
                if !request.body.is_empty() {
                    self.learn(index, &request.body);
                }
                let call = &mut self.calls[index];
                call.version += 1;
                let answer = match (request.body.is_empty(), call.theirs) {
                    (true, _) | (_, Direction::SendRecv) => call.ours,
                    (_, Direction::SendOnly) => Direction::RecvOnly,
                    (_, Direction::RecvOnly) => Direction::SendOnly,
                    (_, Direction::Inactive | Direction::Nowhere) => Direction::Inactive,
                };
                let (port, version) = (call.sound.as_ref().map_or(0, |sound| sound.port), call.version);
                let crypto = call.crypto();
                if method == "INVITE" || !request.body.is_empty() {
                    sdp = Some(self.sdp(port, version, answer, crypto));
                }
                self.aim(index);
            }
            _ => {}
        }
        let text = request.response(200, &tag, &contact, sdp.as_deref());
        if method == "INVITE" {
            self.calls[index].unacknowledged = Some(repeat(from, &text));
        }
        self.reply(from, key, text);
        Ok(())
    }

    fn rung(&mut self, from: SocketAddr, invite: &Message, key: String) -> Result<()> {
        if self.manner == Manner::Silent {
            return Ok(());
        }
        let (tag, contact) = (self.name("t"), self.contact());
        let target = address(invite.header("contact").unwrap_or_default()).to_owned();
        let index = self.calls.len();
        self.calls.push(Call {
            state: State::Ringing,
            invite: invite.clone(),
            sound: Some(Sounding::open(self.tone, self.amplitude, self.first_sequence)?),
            theirs: Direction::SendRecv,
            accepted_offers: 0,
            bye_status: None,
            ours: Direction::SendRecv,
            id: invite.header("call-id").unwrap_or_default().to_owned(),
            local: format!("{};tag={tag}", invite.header("to").unwrap_or_default()),
            remote: invite.header("from").unwrap_or_default().to_owned(),
            target,
            routes: invite.all("record-route").map(str::to_owned).collect(),
            sequence: 0,
            from,
            outgoing: false,
            tag: tag.clone(),
            version: 1,
            unacknowledged: None,
            gives_up: false,
            aimed: None,
            key: srtp::fresh()?,
            encrypted: invite.body.is_empty() && self.encrypts,
            far_key: None,
        });
        if !invite.body.is_empty() {
            self.learn(index, &invite.body);
        }
        match self.manner {
            Manner::Refuses(status) => return self.refuse(index, status),
            Manner::Answers | Manner::Rings | Manner::Silent => {
                let text = invite.response(180, &tag, &contact, None);
                self.reply(from, key, text);
            }
        }
        if self.manner == Manner::Answers { self.answer(index) } else { Ok(()) }
    }

    /// Takes what an SDP says: where to send, and which way.
    fn learn(&mut self, index: usize, sdp: &str) {
        let line = |start: &str| sdp.lines().find_map(|line| line.strip_prefix(start));
        let has = |attribute: &str| sdp.lines().any(|line| line.trim() == attribute);
        let host = line("c=IN IP4 ").unwrap_or("127.0.0.1").trim();
        let port = line("m=audio ").and_then(|rest| rest.split(' ').next()).and_then(|port| port.parse().ok());
        let call = &mut self.calls[index];
        call.theirs = match () {
            () if host == "0.0.0.0" => Direction::Nowhere,
            () if has("a=sendonly") => Direction::SendOnly,
            () if has("a=recvonly") => Direction::RecvOnly,
            () if has("a=inactive") => Direction::Inactive,
            () => Direction::SendRecv,
        };
        call.aimed = port.and_then(|port: u16| Some(SocketAddr::new(host.parse().ok()?, port)));
        call.encrypted = line("m=audio ").is_some_and(|rest| rest.contains(" RTP/SAVP "));
        call.far_key = srtp::read(sdp);
        let keys = call.far_key.as_ref().filter(|_| call.encrypted).map(|(_, theirs)| (call.key, *theirs));
        let secured = call.sound.as_ref().map(|sound| sound.secure(keys));
        if let Some(Err(error)) = secured {
            self.note(&format!("! {error:#}"));
        }
    }

    /// Sends sound, or does not, by what both sides want now.
    pub(super) fn aim(&mut self, index: usize) {
        let keeps = self.sends_while_held;
        let call = &mut self.calls[index];
        let theirs = matches!(call.theirs, Direction::SendRecv | Direction::RecvOnly);
        let ours = matches!(call.ours, Direction::SendRecv | Direction::SendOnly);
        if let (Some(sound), Some(to)) = (&call.sound, call.aimed) {
            sound.aim(to, call.state == State::Up && ((theirs && ours) || keeps));
        }
    }
}
