//! JSON into the shared types, by one small deserializer.
//!
//! `serde_json`'s own deserializers make the compiler write each type's code several times over (from text, from
//! buffered content for tagged and flattened types, from sequences as well as from maps). All that the panel reads
//! comes by here instead, as [`Value`] first, so that each type's code exists once: a quarter of the program's size.

use cordboard_shared::Problem;
use cordboard_shared::call::CallView;
use cordboard_shared::event::{LiveCall, ServerFrame, ServerMessage, Snapshot};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde_json::{Map, Value};

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

/// A frame of the live socket, as far as this page understands it.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A frame of a kind this page knows.
    Frame(Box<ServerFrame>),
    /// A frame of another kind: its number counts, the rest is for a newer page.
    Numbered(u64),
}

/// Reads a value of any shared type.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, DecodeError> {
    from_value(parse(text)?)
}

/// Reads an error body.
pub fn problem(text: &str) -> Result<Problem, DecodeError> {
    problem_of(object(parse(text)?)?)
}

/// Reads a frame of the live socket.
pub fn frame(text: &str) -> Result<Heard, DecodeError> {
    let mut frame = object(parse(text)?)?;
    let seq = field(&mut frame, "seq")?;
    let kind: String = field(&mut frame, "type")?;
    let data = frame.remove("data").unwrap_or_default();
    let Some(message) = message(&kind, data)? else { return Ok(Heard::Numbered(seq)) };
    let (pos, re) = (field(&mut frame, "pos")?, field(&mut frame, "re")?);
    Ok(Heard::Frame(Box::new(ServerFrame { seq, pos, re, message })))
}

fn message(kind: &str, data: Value) -> Result<Option<ServerMessage>, DecodeError> {
    if kind == "ok" {
        return Ok(Some(ServerMessage::Ok(data)));
    }
    let mut data = object(data)?;
    Ok(Some(match kind {
        "error" => ServerMessage::Error(problem_of(data)?),
        "snapshot" => ServerMessage::Snapshot(Box::new(snapshot(data)?)),
        "gap" => ServerMessage::Gap {},
        "ping" => ServerMessage::Ping { t: field(&mut data, "t")? },
        "presence.changed" => ServerMessage::PresenceChanged(Box::new(from_value(Value::Object(data))?)),
        "ring" => ServerMessage::Ring(Box::new(from_value(Value::Object(data))?)),
        "ring.lease" => {
            ServerMessage::RingLease { offer: field(&mut data, "offer")?, lease_ms: field(&mut data, "lease_ms")? }
        }
        "ring.stop" => {
            ServerMessage::RingStop { offer: field(&mut data, "offer")?, reason: field(&mut data, "reason")? }
        }
        "call.state" => ServerMessage::CallState(Box::new(live_call(data)?)),
        "call.audio" => {
            ServerMessage::CallAudio { call: field(&mut data, "call")?, verdict: field(&mut data, "verdict")? }
        }
        "call.logged" => ServerMessage::CallLogged(Box::new(from_value::<CallView>(Value::Object(data))?)),
        "queue.changed" => ServerMessage::QueueChanged {
            department: field(&mut data, "department")?,
            waiting: field(&mut data, "waiting")?,
            longest_ms: field(&mut data, "longest_ms")?,
            by_verdict: field::<Option<_>>(&mut data, "by_verdict")?.unwrap_or_default(),
        },
        "policy.changed" => ServerMessage::PolicyChanged(Box::new(from_value(Value::Object(data))?)),
        "callbacks.changed" => ServerMessage::CallbacksChanged {},
        "signout.soon" => ServerMessage::SignOutSoon { at: field(&mut data, "at")? },
        "away.set" => ServerMessage::AwaySet { reason: field(&mut data, "reason")? },
        "away.over" => ServerMessage::AwayOver {},
        "draining" => ServerMessage::Draining { retry_ms: field(&mut data, "retry_ms")? },
        _ => return Ok(None),
    }))
}

fn snapshot(mut data: Map<String, Value>) -> Result<Snapshot, DecodeError> {
    let calls = match data.remove("calls") {
        Some(Value::Array(calls)) => {
            calls.into_iter().map(|call| live_call(object(call)?)).collect::<Result<_, DecodeError>>()?
        }
        Some(_) | None => Vec::new(),
    };
    Ok(Snapshot {
        me: field(&mut data, "me")?,
        presence: field(&mut data, "presence")?,
        agents: field(&mut data, "agents")?,
        presences: field(&mut data, "presences")?,
        departments: field(&mut data, "departments")?,
        numbers: field::<Option<_>>(&mut data, "numbers")?.unwrap_or_default(),
        offers: field(&mut data, "offers")?,
        calls,
        zone: field::<Option<_>>(&mut data, "zone")?.unwrap_or_default(),
        policy: field(&mut data, "policy")?,
        away_reasons: field::<Option<_>>(&mut data, "away_reasons")?.unwrap_or_default(),
        as_of: field(&mut data, "as_of")?,
    })
}

fn live_call(mut data: Map<String, Value>) -> Result<LiveCall, DecodeError> {
    Ok(LiveCall {
        media: field(&mut data, "media")?,
        muted: field::<Option<_>>(&mut data, "muted")?.unwrap_or_default(),
        peer: field(&mut data, "peer")?,
        quality: field(&mut data, "quality")?,
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
            Value::String(name) => visitor.visit_enum(Name(name)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Err(DecodeError),
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
struct Name(String);

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

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, DecodeError> {
        Err(DecodeError)
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
