//! JSON into the shared types, by one small deserializer.
//!
//! `serde_json`'s own deserializers make the compiler write each type's code several times over (from text, from
//! buffered content for tagged and flattened types, from sequences as well as from maps). All that the panel reads
//! comes by here instead, as [`Value`] first, so that each type's code exists once: a quarter of the program's size.

use cordboard_shared::agent::Presence;
use cordboard_shared::call::CallView;
use cordboard_shared::event::{DeviceView, FloorCall, LiveCall, Ring, RingStop};
use cordboard_shared::id::{CallId, DepartmentId, OfferId};
use cordboard_shared::policy::EmergencyRoute;
use cordboard_shared::version::FeedPosition;
use cordboard_shared::{Millis, Problem};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde_json::{Map, Value};

use crate::model::floor::Floor;
use crate::model::roster::{Group, Picture};

/// The text is no JSON, or not of the wanted shape. Nobody reads which member was wrong in a browser, and words for
/// each would be a tenth of the code that decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError;

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not of the wanted shape")
    }
}

impl std::error::Error for DecodeError {}

impl serde::de::Error for DecodeError {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }

    fn invalid_type(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self
    }

    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        Self
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }

    fn missing_field(_: &'static str) -> Self {
        Self
    }

    fn duplicate_field(_: &'static str) -> Self {
        Self
    }
}

/// A frame of the live socket.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Counts from 1 per socket.
    pub seq: u64,
    /// On durable events only.
    pub pos: Option<FeedPosition>,
    /// On answers: the id of the frame answered.
    pub re: Option<String>,
    /// What it says.
    pub message: Message,
}

/// What the server says, as far as this page understands it and needs it: a department's and the policy's many
/// settings are read by the pages that edit them, not from the socket.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Answer: done.
    Ok(Value),
    /// Answer: not done.
    Error(Problem),
    /// Everything at first.
    Snapshot(Box<Picture>),
    /// History is gone.
    Gap,
    /// Still there? With the server's time.
    Ping(i64),
    /// Somebody's presence has changed.
    Presence(Box<Presence>),
    /// A call is offered to this person.
    Ring(Box<Ring>),
    /// A call is offered to this person, in a program without a telephone.
    RingsElsewhere,
    /// It still rings, for so many milliseconds.
    RingLease(OfferId, u64),
    /// It stops.
    RingStop(OfferId, RingStop),
    /// An own call has changed.
    CallState(Box<LiveCall>),
    /// What the sound of a call is like.
    CallAudio(CallId, String),
    /// A call's final record.
    CallLogged(Box<CallView>),
    /// The calls one may take now.
    Floor(Vec<FloorCall>),
    /// The own devices now.
    Devices(Vec<DeviceView>),
    /// A department's line: callers waiting, and the longest wait in milliseconds.
    Queue(DepartmentId, u32, u64),
    /// The policy has changed.
    Policy {
        /// Its version.
        version: u64,
        /// The departments now.
        groups: Vec<Group>,
        /// The emergency routes now.
        emergencies: Vec<EmergencyRoute>,
    },
    /// A callback has come due, or is dealt with.
    Callbacks,
    /// Inactivity ends this sign-in then.
    SignOutSoon(Millis),
    /// The person was set Away by the server; the reason.
    AwaySet(String),
    /// An Away with an end is over.
    AwayOver,
    /// The server is stopping: reconnect after so many milliseconds.
    Draining(u64),
    /// Of a newer server: its number counts, the rest is for a newer page.
    Other,
}

/// Reads a value of any shared type.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, DecodeError> {
    from_value(parse(text)?)
}

/// Reads a value that was parsed already.
pub fn read<T: DeserializeOwned>(value: &Value) -> Result<T, DecodeError> {
    from_value(value.clone())
}

/// Reads a list, whether it stands alone or as a member of an object.
pub fn list_in<T: DeserializeOwned>(text: &str, name: &str) -> Result<Vec<T>, DecodeError> {
    match parse(text)? {
        Value::Object(mut map) => list(&mut map, name),
        alone => from_value(alone),
    }
}

/// Reads an error body.
pub fn problem(text: &str) -> Result<Problem, DecodeError> {
    problem_of(object(parse(text)?)?)
}

/// How a program reads what is about calls: a program without a telephone does not carry the code for it.
#[derive(Clone, Copy)]
pub struct Reader {
    message: fn(&str, Map<String, Value>) -> Result<Message, DecodeError>,
    offers: fn(Map<String, Value>) -> Result<Offers, DecodeError>,
}

/// What rings, what is talked on, and what is live besides.
type Offers = (Vec<Ring>, Vec<LiveCall>, Floor);

/// Reads calls.
pub const WITH_CALLS: Reader = Reader { message: call_message, offers };
/// Notes that a call rings, and nothing else about calls.
pub const WITHOUT_CALLS: Reader = Reader {
    message: |kind, _| Ok(if kind == "ring" { Message::RingsElsewhere } else { Message::Other }),
    offers: |_| Ok((Vec::new(), Vec::new(), Floor::default())),
};

/// Reads a frame of the live socket.
pub fn frame(text: &str, reader: Reader) -> Result<Frame, DecodeError> {
    let mut frame = object(parse(text)?)?;
    let seq = field(&mut frame, "seq")?;
    let kind: String = field(&mut frame, "type")?;
    let message = message(&kind, frame.remove("data").unwrap_or_default(), reader)?;
    Ok(Frame { seq, pos: field(&mut frame, "pos")?, re: field(&mut frame, "re")?, message })
}

fn call_message(kind: &str, mut data: Map<String, Value>) -> Result<Message, DecodeError> {
    Ok(match kind {
        "ring" => Message::Ring(Box::new(from_value(Value::Object(data))?)),
        "ring.lease" => Message::RingLease(field(&mut data, "offer")?, field(&mut data, "lease_ms")?),
        "ring.stop" => Message::RingStop(field(&mut data, "offer")?, field(&mut data, "reason")?),
        "call.state" => Message::CallState(Box::new(live_call(data)?)),
        "call.audio" => Message::CallAudio(field(&mut data, "call")?, field(&mut data, "verdict")?),
        "call.logged" => Message::CallLogged(Box::new(from_value::<CallView>(Value::Object(data))?)),
        "floor.changed" => Message::Floor(list(&mut data, "calls")?),
        "devices.changed" => Message::Devices(list(&mut data, "devices")?),
        _ => Message::Other,
    })
}

fn offers(mut data: Map<String, Value>) -> Result<Offers, DecodeError> {
    let calls = match data.remove("calls") {
        Some(Value::Array(calls)) => {
            calls.into_iter().map(|call| live_call(object(call)?)).collect::<Result<_, DecodeError>>()?
        }
        Some(_) | None => Vec::new(),
    };
    let floor = Floor {
        calls: list(&mut data, "floor")?,
        devices: list(&mut data, "devices")?,
        dispositions: list(&mut data, "dispositions")?,
    };
    Ok((field(&mut data, "offers")?, calls, floor))
}

fn message(kind: &str, data: Value, reader: Reader) -> Result<Message, DecodeError> {
    if kind == "ok" {
        return Ok(Message::Ok(data));
    }
    let mut data = object(data)?;
    Ok(match kind {
        "error" => Message::Error(problem_of(data)?),
        "snapshot" => Message::Snapshot(Box::new(picture(data, reader)?)),
        "gap" => Message::Gap,
        "ping" => Message::Ping(field(&mut data, "t")?),
        "presence.changed" => Message::Presence(Box::new(from_value(Value::Object(data))?)),
        "queue.changed" => Message::Queue(
            field(&mut data, "department")?,
            field(&mut data, "waiting")?,
            field(&mut data, "longest_ms")?,
        ),
        "policy.changed" => Message::Policy {
            version: field(&mut data, "version")?,
            groups: list(&mut data, "departments")?,
            emergencies: list(&mut data, "emergencies")?,
        },
        "callbacks.changed" => Message::Callbacks,
        "signout.soon" => Message::SignOutSoon(field(&mut data, "at")?),
        "away.set" => Message::AwaySet(field(&mut data, "reason")?),
        "away.over" => Message::AwayOver,
        "draining" => Message::Draining(field(&mut data, "retry_ms")?),
        other => return (reader.message)(other, data),
    })
}

fn picture(mut data: Map<String, Value>, reader: Reader) -> Result<Picture, DecodeError> {
    let mut about_calls = Map::new();
    for name in ["offers", "calls", "floor", "devices", "dispositions"] {
        about_calls.insert(name.to_owned(), data.remove(name).unwrap_or_default());
    }
    let (offers, calls, floor) = (reader.offers)(about_calls)?;
    // Those who see the policy find the emergency routes in it.
    let mut emergencies = list(&mut data, "emergencies")?;
    if let Some(Value::Object(mut policy)) = data.remove("policy") {
        emergencies = list(&mut policy, "emergencies")?;
    }
    Ok(Picture {
        me: field(&mut data, "me")?,
        presence: field(&mut data, "presence")?,
        agents: field(&mut data, "agents")?,
        presences: field(&mut data, "presences")?,
        groups: field(&mut data, "departments")?,
        numbers: list(&mut data, "numbers")?,
        offers,
        calls,
        floor,
        zone: field::<Option<_>>(&mut data, "zone")?.unwrap_or_default(),
        away_reasons: list(&mut data, "away_reasons")?,
        emergencies,
        as_of: field(&mut data, "as_of")?,
    })
}

fn live_call(mut data: Map<String, Value>) -> Result<LiveCall, DecodeError> {
    Ok(LiveCall {
        media: field(&mut data, "media")?,
        muted: field::<Option<_>>(&mut data, "muted")?.unwrap_or_default(),
        peer: field(&mut data, "peer")?,
        quality: field(&mut data, "quality")?,
        held_by_peer: field::<Option<_>>(&mut data, "held_by_peer")?.unwrap_or_default(),
        recording: field::<Option<_>>(&mut data, "recording")?.unwrap_or_default(),
        transfer: field(&mut data, "transfer")?,
        device: field(&mut data, "device")?,
        call: from_value(Value::Object(data))?,
    })
}

fn problem_of(mut data: Map<String, Value>) -> Result<Problem, DecodeError> {
    Ok(Problem {
        kind: field(&mut data, "type")?,
        title: field(&mut data, "title")?,
        status: field(&mut data, "status")?,
        detail: field(&mut data, "detail")?,
        instance: field::<Option<_>>(&mut data, "instance")?.unwrap_or_default(),
        more: data,
    })
}

fn parse(text: &str) -> Result<Value, DecodeError> {
    serde_json::from_str(text).map_err(|_| DecodeError)
}

fn object(value: Value) -> Result<Map<String, Value>, DecodeError> {
    match value {
        Value::Object(map) => Ok(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Err(DecodeError),
    }
}

/// Takes a member out; one that is missing counts as null.
fn field<T: DeserializeOwned>(map: &mut Map<String, Value>, name: &str) -> Result<T, DecodeError> {
    from_value(map.remove(name).unwrap_or_default())
}

/// Takes a list out; one that is missing is empty.
fn list<T: DeserializeOwned>(map: &mut Map<String, Value>, name: &str) -> Result<Vec<T>, DecodeError> {
    field::<Option<Vec<T>>>(map, name).map(Option::unwrap_or_default)
}

fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, DecodeError> {
    T::deserialize(Json(value))
}

/// A JSON value as a deserializer.
struct Json(Value);

impl Json {
    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, Some(number)) => visitor.visit_f64(number),
                (None, None, None) => Err(DecodeError),
            },
            // A key of a map whose keys are numbers.
            Value::String(text) => match text.parse() {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => Err(DecodeError),
            },
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(DecodeError),
        }
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::String(text) => visitor.visit_string(text),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Err(DecodeError),
        }
    }

    fn map<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_map(Members { members: object(self.0)?.into_iter(), value: None })
    }

    fn seq<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Err(DecodeError),
        }
    }
}

macro_rules! by {
    ($way:ident: $($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.$way(visitor)
        }
    )+};
}

impl<'de> Deserializer<'de> for Json {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(_) => self.number(visitor),
            Value::String(_) => self.text(visitor),
            Value::Array(_) => self.seq(visitor),
            Value::Object(_) => self.map(visitor),
        }
    }

    by! { number: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
    deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 }
    by! { text: deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
    deserialize_identifier }
    by! { map: deserialize_map }
    by! { seq: deserialize_seq }
    by! { deserialize_any: deserialize_bool deserialize_unit deserialize_ignored_any }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(Name(name, Value::Null)),
            // One member: the variant's name, and what it holds.
            Value::Object(map) => match map.into_iter().next() {
                Some((name, value)) => visitor.visit_enum(Name(name, value)),
                None => Err(DecodeError),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Err(DecodeError),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.seq(visitor)
    }
}

struct Members {
    members: serde_json::map::IntoIter,
    value: Option<Value>,
}

impl<'de> MapAccess<'de> for Members {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let Some((key, value)) = self.members.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(Json(Value::String(key))).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        seed.deserialize(Json(self.value.take().unwrap_or_default()))
    }
}

struct Items(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        self.0.next().map(|item| seed.deserialize(Json(item))).transpose()
    }
}

/// A variant without data: all that the shared enums are, but for those told apart by a member.
struct Name(String, Value);

impl<'de> EnumAccess<'de> for Name {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), DecodeError> {
        let variant = seed.deserialize(StrDeserializer::new(&self.0))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Name {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DecodeError> {
        seed.deserialize(Json(self.1))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, DecodeError> {
        Err(DecodeError)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, DecodeError> {
        Err(DecodeError)
    }
}

#[cfg(test)]
mod tests;
