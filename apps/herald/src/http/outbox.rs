//! The outbox viewer: the newest mails that went to the built-in outbox instead of a relay.

use std::sync::Arc;

use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Api,
    problem::Problem,
    query::{Asked, Named, Newest, absent},
};
use crate::{
    model::{DeliveryId, NotificationId},
    store::StoredMail,
};

/// A mail as JSON shows it.
#[derive(Serialize)]
pub(super) struct Mail {
    delivery: DeliveryId,
    notification: NotificationId,
    at: Timestamp,
    from: String,
    to: String,
    subject: String,
    text: Option<String>,
    html: Option<String>,
    /// A mail is ASCII on the wire; what is not is shown as replacement characters.
    raw: String,
}

impl From<StoredMail> for Mail {
    fn from(mail: StoredMail) -> Self {
        Self {
            raw: String::from_utf8_lossy(&mail.raw).into_owned(),
            delivery: mail.delivery,
            notification: mail.notification,
            at: mail.at,
            from: mail.from,
            to: mail.to,
            subject: mail.subject,
            text: mail.text,
            html: mail.html,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Mails {
    items: Vec<Mail>,
}

/// The newest mails, without a cursor: the viewer keeps only the newest thousand.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Asked(newest): Asked<Newest>,
) -> Result<Json<Mails>, Problem> {
    let mails = api.store.viewer_mails(newest.limit.0).await?;
    Ok(Json(Mails { items: mails.into_iter().map(Mail::from).collect() }))
}

pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Named(delivery): Named<DeliveryId>,
) -> Result<Json<Mail>, Problem> {
    let mail = api.store.viewer_mail(delivery).await?;
    mail.map(|mail| Json(mail.into())).ok_or_else(absent)
}
