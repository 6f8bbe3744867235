//! What a `PATCH` means for the ICE session there is. Pure.

use crate::control::WhipRefusal;
use crate::sources::peer::IceCredentials;

use super::super::ids::draw_entity_tag;
use super::super::sdp::Fragment;
use super::Refusal;

/// Candidates of the client that are taken per ICE session; further ones are passed over (RFC 9725
/// section 4.3.2).
const MOST_CANDIDATES: usize = 100;

/// The present ICE session of a WHIP session.
pub struct IceSession {
    entity_tag: String,
    remote: IceCredentials,
    candidates: usize,
}

/// What a `PATCH` asks for.
pub enum Patch {
    /// More candidates, as `candidate:…`.
    Trickle(Vec<String>),
    /// A new ICE session with these credentials and candidates of the client.
    Restart {
        remote: IceCredentials,
        candidates: Vec<String>,
    },
}

impl IceSession {
    /// A session with the client's credentials; its entity tag is drawn.
    pub fn new(remote: IceCredentials) -> Self {
        Self {
            entity_tag: draw_entity_tag(),
            remote,
            candidates: 0,
        }
    }

    /// What names it in `ETag` headers.
    pub fn entity_tag(&self) -> &str {
        &self.entity_tag
    }

    /// Decides what a `PATCH` asks for (RFC 9725 section 4.3).
    ///
    /// # Errors
    /// Its `If-Match` is missing or names another ICE session.
    pub fn understand(
        &mut self,
        if_match: Option<&str>,
        fragment: Fragment,
    ) -> Result<Patch, Refusal> {
        self.check(if_match)?;
        let Fragment {
            credentials,
            mut candidates,
        } = fragment;
        match credentials {
            // Whatever the precondition says, other credentials mean a restart.
            Some(remote) if remote != self.remote => {
                candidates.truncate(MOST_CANDIDATES);
                Ok(Patch::Restart { remote, candidates })
            }
            _ => {
                candidates.truncate(MOST_CANDIDATES - self.candidates);
                self.candidates += candidates.len();
                Ok(Patch::Trickle(candidates))
            }
        }
    }

    fn check(&self, if_match: Option<&str>) -> Result<(), Refusal> {
        let Some(if_match) = if_match.map(str::trim).filter(|tags| !tags.is_empty()) else {
            return Err(Refusal::new(
                WhipRefusal::EntityTagMissing,
                "If-Match is missing: send the ETag of the answer, or * to restart ICE",
            ));
        };
        let fits = if_match
            .split(',')
            .map(str::trim)
            // RFC 9725 itself shows the asterisk in quotes.
            .any(|tag| tag == "*" || tag == "\"*\"" || tag == self.entity_tag);
        if fits {
            return Ok(());
        }
        Err(Refusal::new(
            WhipRefusal::EntityTagMismatch,
            "If-Match names an ICE session that is no more: send the ETag of the last answer",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(name: &str) -> IceCredentials {
        IceCredentials {
            user_fragment: name.to_owned(),
            password: format!("{name}{name}{name}{name}{name}{name}"),
        }
    }

    fn fragment(name: Option<&str>, candidates: usize) -> Fragment {
        Fragment {
            credentials: name.map(credentials),
            candidates: vec!["candidate:1 1 udp 1 192.0.2.1 1 typ host".to_owned(); candidates],
        }
    }

    fn trickled(patch: Result<Patch, Refusal>) -> usize {
        match patch {
            Ok(Patch::Trickle(candidates)) => candidates.len(),
            Ok(Patch::Restart { .. }) => panic!("restarted"),
            Err(refusal) => panic!("{}", refusal.message),
        }
    }

    fn refused(patch: Result<Patch, Refusal>) -> WhipRefusal {
        match patch {
            Ok(_) => panic!("taken"),
            Err(refusal) => refusal.reason,
        }
    }

    #[test]
    fn candidates_of_the_present_session_are_taken() {
        let mut ice = IceSession::new(credentials("abcd"));
        let tag = ice.entity_tag().to_owned();
        assert_eq!(
            trickled(ice.understand(Some(&tag), fragment(Some("abcd"), 2))),
            2
        );
        assert_eq!(trickled(ice.understand(Some(&tag), fragment(None, 1))), 1);
        // Some clients send candidates of the first session so.
        assert_eq!(
            trickled(ice.understand(Some("*"), fragment(Some("abcd"), 1))),
            1
        );
        let list = format!("\"other\", {tag}");
        assert_eq!(trickled(ice.understand(Some(&list), fragment(None, 1))), 1);
    }

    #[test]
    fn other_credentials_restart_ice() {
        let mut ice = IceSession::new(credentials("abcd"));
        let tag = ice.entity_tag().to_owned();
        for if_match in ["*", "\"*\"", tag.as_str()] {
            match ice.understand(Some(if_match), fragment(Some("wxyz"), 2)) {
                Ok(Patch::Restart { remote, candidates }) => {
                    assert!(remote == credentials("wxyz"));
                    assert_eq!(candidates.len(), 2);
                }
                _ => panic!("not restarted for {if_match}"),
            }
        }
    }

    #[test]
    fn the_precondition_must_be_there_and_fit() {
        let mut ice = IceSession::new(credentials("abcd"));
        let weak = format!("W/{}", ice.entity_tag());
        for (if_match, reason) in [
            (None, WhipRefusal::EntityTagMissing),
            (Some(" "), WhipRefusal::EntityTagMissing),
            (Some("\"old\""), WhipRefusal::EntityTagMismatch),
            (Some(weak.as_str()), WhipRefusal::EntityTagMismatch),
        ] {
            assert_eq!(
                refused(ice.understand(if_match, fragment(Some("wxyz"), 1))),
                reason
            );
            assert_eq!(refused(ice.understand(if_match, fragment(None, 1))), reason);
        }
    }

    #[test]
    fn candidates_of_a_session_are_bounded() {
        let mut ice = IceSession::new(credentials("abcd"));
        let mut taken = 0;
        for _ in 0..10 {
            taken += trickled(ice.understand(Some("*"), fragment(None, 64)));
        }
        assert_eq!(taken, MOST_CANDIDATES);
    }
}
