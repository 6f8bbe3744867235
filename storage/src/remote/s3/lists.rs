//! Lists as S3 answers them. `object_store` cannot tell of uploads in parts, and gives up a list at
//! the first key that it takes for no path; a bucket may hold anything.

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::remote::backend::{Listed, Unfinished};

/// An answer that is no list.
#[derive(Debug, thiserror::Error)]
#[error("the answer is no list: {0}")]
pub struct NoList(#[from] quick_xml::DeError);

/// A page of a list, and where the next begins.
#[derive(Debug, PartialEq, Eq)]
pub struct Page<T, N> {
    pub entries: Vec<T>,
    pub next: Option<N>,
}

/// Where the next page of uploads begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    pub key: String,
    pub upload: String,
}

/// Objects of a `ListBucketResult`; names are relative to `prefix`.
///
/// # Errors
/// It is none.
pub fn objects(xml: &str, prefix: &str) -> Result<Page<Listed, String>, NoList> {
    let result: ListBucketResult = quick_xml::de::from_str(xml)?;
    let is_encoded = is_encoded(result.encoding_type.as_deref());
    let entry = |object: Contents| {
        let key = decoded(object.key, is_encoded)?;
        Some(Listed {
            name: key.strip_prefix(prefix)?.to_owned(),
            size: object.size,
            etag: object.etag.unwrap_or_default().trim_matches('"').to_owned(),
            modified_at: unix_ms(&object.last_modified),
        })
    };
    let next = result.next_continuation_token;
    Ok(Page {
        entries: result.contents.into_iter().filter_map(entry).collect(),
        next: next.filter(|next| result.is_truncated && !next.is_empty()),
    })
}

/// Uploads of exactly `key` in a `ListMultipartUploadsResult`.
///
/// # Errors
/// It is none.
pub fn uploads(xml: &str, key: &str) -> Result<Page<Unfinished, Marker>, NoList> {
    let result: ListMultipartUploadsResult = quick_xml::de::from_str(xml)?;
    let is_encoded = is_encoded(result.encoding_type.as_deref());
    let is_ours = |upload: &Upload| decoded(upload.key.clone(), is_encoded).as_deref() == Some(key);
    let entries = result.uploads.into_iter().filter(is_ours);
    let next = match (result.next_key_marker, result.next_upload_id_marker) {
        (Some(key), upload) if result.is_truncated && !key.is_empty() => Some(Marker {
            key,
            upload: upload.unwrap_or_default(),
        }),
        _ => None,
    };
    Ok(Page {
        entries: entries
            .map(|upload| Unfinished {
                upload: upload.upload_id,
                begun_at: unix_ms(&upload.initiated),
            })
            .collect(),
        next,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListBucketResult {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_continuation_token: Option<String>,
    #[serde(default)]
    encoding_type: Option<String>,
    #[serde(default)]
    contents: Vec<Contents>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Contents {
    key: String,
    size: u64,
    #[serde(default)]
    last_modified: String,
    #[serde(default, rename = "ETag")]
    etag: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListMultipartUploadsResult {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: Option<String>,
    #[serde(default)]
    next_upload_id_marker: Option<String>,
    #[serde(default)]
    encoding_type: Option<String>,
    #[serde(default, rename = "Upload")]
    uploads: Vec<Upload>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    upload_id: String,
    #[serde(default)]
    initiated: String,
}

fn is_encoded(encoding: Option<&str>) -> bool {
    encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case("url"))
}

/// A key that is no text cannot be a recording's.
fn decoded(key: String, is_encoded: bool) -> Option<String> {
    if !is_encoded {
        return Some(key);
    }
    let spaced = key.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8();
    decoded.ok().map(std::borrow::Cow::into_owned)
}

/// 0 for what is no time.
fn unix_ms(text: &str) -> i64 {
    let time = OffsetDateTime::parse(text, &Rfc3339).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_page_of_objects() {
        let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Name>films</Name><Prefix>recordings/</Prefix><IsTruncated>true</IsTruncated>
              <NextContinuationToken>t1</NextContinuationToken><EncodingType>url</EncodingType>
              <Contents><Key>recordings/a+b%ED%9A%8C.mp4</Key><Size>7</Size>
                <LastModified>2026-11-22T11:30:22.000Z</LastModified><ETag>&quot;x-2&quot;</ETag></Contents>
              <CommonPrefixes><Prefix>recordings//</Prefix></CommonPrefixes>
              <Contents><Key>recordings/%01%FF</Key><Size>1</Size></Contents>
            </ListBucketResult>"#;
        let page = objects(xml, "recordings/").unwrap();
        assert_eq!(page.next.as_deref(), Some("t1"));
        assert_eq!(page.entries.len(), 1, "{page:?}");
        assert_eq!(
            page.entries[0],
            Listed {
                name: "a b회.mp4".into(),
                size: 7,
                etag: "x-2".into(),
                modified_at: 1_795_347_022_000,
            }
        );
        let empty = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
        assert_eq!(objects(empty, "").unwrap().entries, []);
        assert!(objects("<html>no list", "").is_err());
    }

    #[test]
    fn reads_uploads_of_one_key() {
        let xml = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>
            <Upload><Key>r/a.mp4</Key><UploadId>u1</UploadId><Initiated>1970-01-01T00:00:01Z</Initiated></Upload>
            <Upload><Key>r/a.mp42</Key><UploadId>u2</UploadId></Upload>
            </ListMultipartUploadsResult>";
        let page = uploads(xml, "r/a.mp4").unwrap();
        assert_eq!(page.next, None);
        assert_eq!(
            page.entries,
            [Unfinished {
                upload: "u1".into(),
                begun_at: 1000
            }]
        );
    }
}
