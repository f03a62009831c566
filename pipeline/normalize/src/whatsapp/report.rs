//! One status of a webhook, field by field. A status with `type` `call` or `payment` tells of a
//! call or of what somebody paid, not of a message; of a message it is `message` or missing.

use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::meta_pricing::Pricing;

/// A status as it was told.
#[derive(Debug, Default)]
pub(super) struct Report<'a> {
    pub(super) id: Scalar<'a>,
    pub(super) gs_id: Scalar<'a>,
    pub(super) status: Scalar<'a>,
    pub(super) timestamp: Scalar<'a>,
    pub(super) recipient: Scalar<'a>,
    pub(super) recipient_user: Scalar<'a>,
    /// Of a group: whom the event is about.
    pub(super) participant: Scalar<'a>,
    pub(super) participant_user: Scalar<'a>,
    pub(super) parent_user: Scalar<'a>,
    pub(super) callback_data: Scalar<'a>,
    pub(super) pricing: Pricing<'a>,
    pub(super) conversation: Scalar<'a>,
    pub(super) origin: Scalar<'a>,
    pub(super) code: Scalar<'a>,
    pub(super) sender: Option<usize>,
    pub(super) subject: Subject,
}

/// Of what a status is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Subject {
    #[default]
    Message,
    Call,
    Payment,
}

impl<'a> Report<'a> {
    /// Reads one field.
    pub(super) fn field(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Result<(), Syntax> {
        let slot = match key {
            "id" => &mut self.id,
            "gs_id" => &mut self.gs_id,
            "status" => &mut self.status,
            "timestamp" => &mut self.timestamp,
            "recipient_id" => &mut self.recipient,
            "recipient_user_id" => &mut self.recipient_user,
            "recipient_participant_id" | "participant_recipient_id" => &mut self.participant,
            "recipient_participant_user_id" => &mut self.participant_user,
            // Of the user or, in a group, of the participant; Meta's pages spell it in two ways.
            "recipient_parent_user_id"
            | "parent_recipient_user_id"
            | "recipient_participant_parent_user_id" => &mut self.parent_user,
            "type" => {
                self.subject = match cursor.scalar()?.text() {
                    Some("call") => Subject::Call,
                    Some("payment") => Subject::Payment,
                    _ => Subject::Message,
                };
                return Ok(());
            }
            "biz_opaque_callback_data" => &mut self.callback_data,
            "pricing" => return self.pricing.read(cursor),
            "conversation" => {
                cursor.object_or_skip(|cursor, key| match key {
                    "id" => {
                        self.conversation = cursor.scalar()?;
                        Ok(())
                    }
                    "origin" => inner(cursor, "type", &mut self.origin),
                    _ => cursor.other(),
                })?;
                return Ok(());
            }
            "errors" if cursor.kind() == Kind::Object => {
                return inner(cursor, "code", &mut self.code);
            }
            "errors" if cursor.kind() == Kind::Array => {
                let mut is_first = true;
                return cursor.array(|cursor| {
                    if !std::mem::take(&mut is_first) {
                        return cursor.skip();
                    }
                    inner(cursor, "code", &mut self.code)
                });
            }
            "errors" => {
                if !cursor.is_null() {
                    self.code = Scalar::Unreadable;
                }
                return cursor.skip();
            }
            _ => return cursor.other(),
        };
        *slot = cursor.scalar()?;
        Ok(())
    }

    /// User ids that the event's texts may hold and that are not its recipient.
    pub(super) fn ids_beside(&self, recipient: Option<&str>) -> [Option<&str>; 3] {
        [&self.recipient_user, &self.participant_user, &self.parent_user]
            .map(|id| id.text().filter(|id| recipient != Some(id)))
    }
}

/// One scalar of an object; where something else stands, it cannot be read.
pub(super) fn inner<'a>(
    cursor: &mut Cursor<'a>,
    wanted: &str,
    slot: &mut Scalar<'a>,
) -> Result<(), Syntax> {
    let is_null = cursor.is_null();
    let is_object = cursor.object_or_skip(|cursor, key| {
        if key == wanted {
            *slot = cursor.scalar()?;
            return Ok(());
        }
        cursor.other()
    })?;
    if !is_object && !is_null {
        *slot = Scalar::Unreadable;
    }
    Ok(())
}
