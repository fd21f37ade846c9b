//! Direct dialing: an extension that comes with the number, as `442079460101,21` or `+442079460101;ext=21`.

use cordboard_shared::id::CallId;
use cordboard_shared::phone::{E164, Extension};
use cordboard_sip::message::SipUri;

use crate::call::CallCenter;

impl CallCenter {
    /// The extension that was dialed with the number, if the account lets callers and somebody has it.
    pub(in crate::call) fn extension_dialed(&self, id: CallId) -> Option<Extension> {
        let wanted = self.calls.get(&id)?.wanted.as_ref().filter(|_| self.directory.telephony.direct_dialing)?;
        self.directory.agent_by_extension(wanted).and(Some(wanted.clone()))
    }
}

/// The number in the user part of a Request-URI, and the extension behind it. RFC 3966 §3 has the parameter; the comma is
/// what phones make of a pause.
pub(in crate::call) fn number_and_extension(uri: &SipUri) -> (Option<E164>, Option<Extension>) {
    let user = uri.user().unwrap_or_default();
    let mut parts = uri.userinfo.as_deref().unwrap_or_default().split(';').skip(1);
    let (number, after_pause) =
        user.split_once(',').map_or((user.as_str(), None), |(number, rest)| (number, Some(rest)));
    let parameter = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.eq_ignore_ascii_case("ext").then_some(value)
    });
    let extension = after_pause.map(|rest| rest.trim_matches(',')).or(parameter);
    (E164::from_sip_user(number).ok(), extension.and_then(|digits| digits.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_comes_behind_a_comma_or_in_a_parameter() {
        let read = |text: &str| {
            let uri: SipUri = format!("sip:{text}@127.0.0.1").parse().unwrap();
            let (number, extension) = number_and_extension(&uri);
            (number.map(String::from), extension.map(String::from))
        };
        let both = (Some("+442079460101".to_owned()), Some("21".to_owned()));
        for text in
            ["442079460101,21", "+442079460101,,21", "+442079460101;ext=21", "+44-207-946-0101;phone-context=x;EXT=21"]
        {
            assert_eq!(read(text), both, "{text}");
        }
        assert_eq!(read("442079460101"), (both.0.clone(), None));
        assert_eq!(read("442079460101,moon"), (both.0, None));
        assert_eq!(read("anonymous,21"), (None, both.1));
    }
}
