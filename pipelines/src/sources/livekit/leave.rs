//! What it means when the server tells the recorder to leave.

use livekit_protocol::{DisconnectReason, LeaveRequest, leave_request::Action};

use crate::control::EndReason;

/// What follows from a leave request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// The recording is over.
    End(EndReason),
    /// The same session can be taken up again.
    Resume,
    /// A new session is needed.
    Rejoin,
}

/// Judges a leave request by its reason, then by the action it asks for.
pub fn consequence(leave: &LeaveRequest) -> Consequence {
    match leave.reason() {
        DisconnectReason::RoomClosed | DisconnectReason::RoomDeleted => {
            Consequence::End(EndReason::RoomEnded)
        }
        DisconnectReason::ParticipantRemoved | DisconnectReason::DuplicateIdentity => {
            Consequence::End(EndReason::Removed)
        }
        _ if leave.action() == Action::Resume => Consequence::Resume,
        // A server that shuts down says "disconnect", but others or the next one may hold the
        // room again.
        _ => Consequence::Rejoin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(reason: DisconnectReason, action: Action) -> Consequence {
        consequence(&LeaveRequest {
            reason: reason.into(),
            action: action.into(),
            ..Default::default()
        })
    }

    #[test]
    fn a_room_that_ended_ends_the_recording_whatever_the_action() {
        for action in [Action::Disconnect, Action::Reconnect] {
            for reason in [DisconnectReason::RoomClosed, DisconnectReason::RoomDeleted] {
                assert_eq!(
                    judge(reason, action),
                    Consequence::End(EndReason::RoomEnded)
                );
            }
        }
    }

    #[test]
    fn being_removed_or_replaced_ends_the_recording() {
        for reason in [
            DisconnectReason::ParticipantRemoved,
            DisconnectReason::DuplicateIdentity,
        ] {
            assert_eq!(
                judge(reason, Action::Disconnect),
                Consequence::End(EndReason::Removed)
            );
        }
    }

    #[test]
    fn everything_else_is_a_reason_to_come_back() {
        assert_eq!(
            judge(DisconnectReason::ServerShutdown, Action::Disconnect),
            Consequence::Rejoin
        );
        assert_eq!(
            judge(DisconnectReason::StateMismatch, Action::Reconnect),
            Consequence::Rejoin
        );
        assert_eq!(
            judge(DisconnectReason::UnknownReason, Action::Resume),
            Consequence::Resume
        );
    }
}
