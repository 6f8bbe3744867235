//! What a query asks for, and which page of a list.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::refusal::{Refusal, V1Refusal};

/// Entries in a page unless the query says otherwise, and at most.
pub const PAGE: usize = 50;
pub const LARGEST_PAGE: usize = 500;

/// The page of a list that a query asks for.
pub struct PageQuery {
    /// What the page before gave; none for the first one.
    pub cursor: Option<String>,
    /// Entries.
    pub limit: usize,
}

#[derive(Deserialize)]
struct Fields {
    cursor: Option<String>,
    limit: Option<String>,
}

impl PageQuery {
    fn of(request: &HttpRequest) -> Result<Self, Refusal> {
        let fields: Fields = query(request)?;
        Ok(Self {
            cursor: given(fields.cursor),
            limit: given(fields.limit).map_or(Ok(PAGE), |limit| parse_limit(&limit))?,
        })
    }
}

impl FromRequest for PageQuery {
    type Error = V1Refusal;
    type Future = Ready<Result<Self, V1Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request).map_err(V1Refusal::from))
    }
}

/// The fields of a query; others are ignored.
///
/// # Errors
/// It is none, or a field is given twice.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Refusal> {
    web::Query::from_query(request.query_string())
        .map(web::Query::into_inner)
        .map_err(|error| Refusal::invalid(format!("The query cannot be read: {error}")))
}

/// A field without text is one that is not given.
pub fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn parse_limit(limit: &str) -> Result<usize, Refusal> {
    limit
        .parse()
        .ok()
        .filter(|limit| (1..=LARGEST_PAGE).contains(limit))
        .ok_or_else(|| Refusal::invalid(format!("limit must be from 1 to {LARGEST_PAGE}")))
}
