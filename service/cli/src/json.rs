//! Messages as JSON and back: the mapping of protobuf with the field names of the `.proto` files,
//! so that `--json` says exactly what the interface says. Bytes are base64, times RFC 3339, numbers
//! numbers.

use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde::Deserializer;
use serde_json::Value;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

static INTERFACE: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(proto::DESCRIPTORS).expect("descriptors written by our own build")
});

fn descriptor(name: &str) -> MessageDescriptor {
    INTERFACE
        .get_message_by_name(&format!("healthcard.v1.{name}"))
        .expect("a message of the interface; a test reads all names in use")
}

/// A time outside a message, in the form of those within: RFC 3339, UTC, whole seconds.
pub(crate) fn instant(at: OffsetDateTime) -> Value {
    let at = at.to_offset(UtcOffset::UTC).truncate_to_second();
    at.format(&Rfc3339).map_or(Value::Null, Value::String)
}

/// The message `healthcard.v1.{name}` as JSON.
pub(crate) fn of(name: &str, message: &impl Message) -> Value {
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .skip_default_fields(false)
        .stringify_64_bit_integers(false);
    let mut dynamic = DynamicMessage::new(descriptor(name));
    let written = dynamic.transcode_from(message).ok().and_then(|()| {
        dynamic.serialize_with_options(serde_json::value::Serializer, &options).ok()
    });
    // Only a timestamp outside the years 1 to 9999 cannot be written.
    written.unwrap_or(Value::Null)
}

/// Reads the message `healthcard.v1.{name}`; unknown fields are refused.
pub(crate) fn read<'de, M, D>(name: &str, source: D) -> Result<M, D::Error>
where
    M: Message + Default,
    D: Deserializer<'de>,
{
    let dynamic = DynamicMessage::deserialize(descriptor(name), source)?;
    dynamic.transcode_to().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use proto::v1;
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn fields_keep_the_names_of_the_interface() {
        let card = v1::Card {
            card_id: "c".to_owned(),
            status: v1::CardStatus::Lost.into(),
            registered_at: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
            ..v1::Card::default()
        };
        assert_eq!(
            of("Card", &card),
            json!({
                "card_id": "c", "resident_id": "", "chip_serial": "",
                "status": "CARD_STATUS_LOST", "valid_until": "",
                "registered_at": "1970-01-01T00:00:00Z",
                "renewal_until": "", "replaces": "",
            })
        );
        let receipt = v1::Receipt { position: u64::MAX, entry_id: String::new() };
        assert_eq!(of("Receipt", &receipt)["position"], json!(u64::MAX));
    }

    #[test]
    fn times_are_in_utc() {
        let at = datetime!(2026-11-23 16:05:09.5 +8);
        assert_eq!(instant(at), json!("2026-11-23T08:05:09Z"));
    }

    #[test]
    fn unknown_fields_are_refused() {
        let text = r#"{"name":"王秀英","id_numbr":"1"}"#;
        let mut source = serde_json::Deserializer::from_str(text);
        let read: Result<v1::RegisterResidentRequest, _> =
            read("RegisterResidentRequest", &mut source);
        assert!(read.is_err_and(|error| error.to_string().contains("id_numbr")));
    }
}
