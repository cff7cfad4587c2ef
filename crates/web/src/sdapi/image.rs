//! Images in base64, and what they say about themselves.
use super::fields::Fields;
use super::{Reply, blocking};
use crate::answer::{Answer, IMAGE_BODY, Refusal, object};
use axum::body::Body;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Value, json};
use wayword_formats::infotext::Field;
use wayword_formats::picture::{self, Reading};
use wayword_formats::picture_text;

/// Clients send it with and without `=` at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An image's bytes from base64, with or without `data:` before it; they are a whole image.
///
/// # Errors
/// 400 where it is not base64; 422 where the bytes are no image.
pub(super) fn decode(name: &str, text: &str) -> Answer<Vec<u8>> {
    let bytes = bytes(name, text)?;
    picture::from_bytes(&bytes, Reading::SEEN)
        .map_err(|fault| Refusal::unfit(format!("{name}: {fault}")).field(name))?;
    Ok(bytes)
}

fn bytes(name: &str, text: &str) -> Answer<Vec<u8>> {
    let text = match text.strip_prefix("data:").and_then(|rest| rest.split_once(',')) {
        Some((_, data)) => data,
        None => text,
    };
    let data: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let decoded = BASE64.decode(data.as_bytes()).map_err(|error| {
        Refusal::bad(format!("{name} is not base64: {error}"))
            .hint("send the file's bytes in base64; addresses of images are not opened")
            .field(name)
    })?;
    if decoded.is_empty() {
        return Err(Refusal::bad(format!("{name} is empty")).field(name));
    }
    Ok(decoded)
}

/// `POST /sdapi/v1/png-info`.
pub(super) async fn png_info(headers: HeaderMap, body: Body) -> Reply {
    let mut fields = Fields::new(object(&headers, body, IMAGE_BODY).await?);
    let text = fields.text("image")?.unwrap_or_default();
    fields.rest()?;
    let bytes = bytes("image", &text)?;
    blocking(move || {
        let notes = picture_text::notes(&bytes)
            .map_err(|fault| Refusal::unfit(format!("image: {fault}")).field("image"))?;
        let items: serde_json::Map<String, Value> =
            notes.into_iter().map(|note| (note.place, note.text.into())).collect();
        let found = picture_text::from_bytes(&bytes).ok();
        let parameters: serde_json::Map<String, Value> = found
            .iter()
            .flat_map(|found| found.infotext.fields())
            .map(|(key, field)| (key, of_field(field)))
            .collect();
        let info = found.map(|found| found.text).unwrap_or_default();
        Ok(json!({ "info": info, "items": items, "parameters": parameters }))
    })
    .await
}

fn of_field(field: Field) -> Value {
    match field {
        Field::Text(text) => text.into(),
        Field::Number(number) => number.into(),
        Field::Flag(flag) => flag.into(),
    }
}
