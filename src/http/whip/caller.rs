//! Who a WHIP client is: the holder of a participant's token, or of the operator's key.

use actix_web::http::header::HeaderMap;

use crate::http::access::Access;
use crate::http::clients::check_name;
use crate::http::keys::bearer;
use crate::http::refusal::Refusal;
use crate::http::services::Services;
use crate::livekit::{Expiry, Grant, GrantError};

use super::refusal;

/// Who asks.
pub enum Caller {
    Operator,
    Participant(Grant),
}

impl Caller {
    /// Who sent these headers, and may ask something about `room`.
    ///
    /// # Errors
    /// 401 when it is not known, 403 when it may not.
    pub fn identify(
        services: &Services,
        access: &Access,
        headers: &HeaderMap,
        room: &str,
        expiry: Expiry,
    ) -> Result<Self, Refusal> {
        let token = bearer(headers).ok_or_else(refusal::no_token)?;
        if access.is_operator(headers) {
            return Ok(Self::Operator);
        }
        let grant =
            services
                .credentials
                .own
                .publisher(token, expiry)
                .map_err(|error| match error {
                    GrantError::Lacks(_) => refusal::forbidden(&error.to_string()),
                    _ => refusal::invalid_token(&error.to_string()),
                })?;
        if grant.room != room {
            return Err(refusal::forbidden("the token is for another room"));
        }
        for (field, text) in [("identity", &grant.identity), ("name", &grant.name)] {
            if check_name(text, field).ok().flatten().is_none() {
                return Err(refusal::forbidden(&format!(
                    "the token's {field} is empty, too long, or holds control characters"
                )));
            }
        }
        Ok(Self::Participant(grant))
    }
}
