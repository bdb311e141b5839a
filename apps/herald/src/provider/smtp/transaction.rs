//! One mail over one connection: MAIL, RCPT, DATA, the message, the final dot, the reply.

use std::{iter, pin::pin};

use lettre::transport::smtp::{
    client::AsyncSmtpConnection,
    commands::{Data, Mail as MailFrom, Rcpt, Rset},
    extension::{Extension, MailBodyParameter, MailParameter},
    response::{Category, Code, Detail, Response, Severity},
};

use super::{
    classify::{Step, Trouble, classify},
    patience::Patience,
};
use crate::provider::{Answer, Handover, Mail};

/// 354, RFC 5321 §4.3.2.
const START_MAIL_INPUT: Code =
    Code { severity: Severity::PositiveIntermediate, category: Category::MailSystem, detail: Detail::Four };

/// How a transaction ended, for the mail and for its connection.
#[derive(Debug)]
pub(super) enum Ended {
    /// The connection can carry the next mail.
    Reusable(Answer),
    /// The connection is of no further use.
    Broken(Answer),
    /// The relay had hung up before it was told anything of this mail, as it may on an idle connection.
    Stale(Answer),
}

/// Sends one mail.
///
/// # Cancel safety
///
/// Dropped half-way, the mail may have been sent where its handover has begun. The connection is of no further use.
pub(super) async fn transact(
    connection: &mut AsyncSmtpConnection,
    mail: &Mail,
    patience: &Patience,
    handover: &Handover,
) -> Ended {
    let Some(parameters) = parameters(connection, mail) else {
        return Ended::Reusable(Answer::Permanent {
            reply: "the relay does not support SMTPUTF8".to_owned(),
        });
    };
    match converse(connection, mail, parameters, patience, handover).await {
        Ok(response) => Ended::Reusable(Answer::Accepted { reply: describe(&response), viewer: None }),
        Err((step, trouble)) => give_up(connection, step, &trouble, patience).await,
    }
}

async fn converse(
    connection: &mut AsyncSmtpConnection,
    mail: &Mail,
    parameters: Vec<MailParameter>,
    patience: &Patience,
    handover: &Handover,
) -> Result<Response, (Step, Trouble)> {
    let at = |step| move |trouble| (step, trouble);
    let plain = parameters.is_empty();
    let sender = MailFrom::new(Some(mail.from.clone()), parameters);
    command(connection, sender, patience).await.map_err(at(Step::Mail { plain }))?;
    let recipient = Rcpt::new(mail.to.clone(), Vec::new());
    command(connection, recipient, patience).await.map_err(at(Step::Recipient))?;
    let ready = command(connection, Data, patience).await.map_err(at(Step::Data))?;
    // A reply too many from before would else be taken for this one, and the next for the answer to the mail.
    if ready.code() != START_MAIL_INPUT {
        return Err((Step::Data, Trouble::Lost(format!("unexpected reply: {}", describe(&ready)))));
    }
    message(connection, &mail.bytes, patience, handover).await
}

async fn command(
    connection: &mut AsyncSmtpConnection,
    command: impl std::fmt::Display,
    patience: &Patience,
) -> Result<Response, Trouble> {
    Ok(patience.command(connection.command(command)).await??)
}

/// Sends the message and waits for the reply to its final dot.
///
/// `lettre` asks for the next part once the one before has been written, and writes the dot when there is none. So
/// being asked for a second part is the last moment at which the mail cannot have been delivered.
async fn message(
    connection: &mut AsyncSmtpConnection,
    bytes: &[u8],
    patience: &Patience,
    handover: &Handover,
) -> Result<Response, (Step, Trouble)> {
    let dot_is_next = iter::from_fn(|| {
        handover.begin();
        None
    });
    let mut sending = pin!(connection.message_iter(iter::once(bytes).chain(dot_is_next)));
    let step = || if handover.has_begun() { Step::Dot } else { Step::Data };

    let result = match patience.command(&mut sending).await {
        Err(_) if step() == Step::Dot => patience.reply(&mut sending).await,
        result => result,
    };
    let response = result.and_then(|result| Ok(result?)).map_err(|trouble| (step(), trouble))?;
    match response.code().severity {
        Severity::PositiveCompletion => Ok(response),
        _ => Err((Step::Dot, Trouble::Lost(format!("unexpected reply: {}", describe(&response))))),
    }
}

/// Makes the connection ready for the next mail, where the relay is still there.
async fn give_up(
    connection: &mut AsyncSmtpConnection,
    step: Step,
    trouble: &Trouble,
    patience: &Patience,
) -> Ended {
    let answer = classify(step, trouble);
    match (trouble, step) {
        (Trouble::Refused { code: 421, .. } | Trouble::Lost(_), Step::Mail { .. }) => Ended::Stale(answer),
        _ if trouble.keeps_connection() && command(connection, Rset, patience).await.is_ok() => {
            Ended::Reusable(answer)
        }
        _ => Ended::Broken(answer),
    }
}

/// What MAIL has to announce; `None` where the relay cannot take such a mail.
///
/// Bodies and subjects are rendered in ASCII, so only an address can need more.
fn parameters(connection: &AsyncSmtpConnection, mail: &Mail) -> Option<Vec<MailParameter>> {
    if mail.bytes.is_ascii() {
        return Some(Vec::new());
    }
    let supported = connection.server_info().supports_feature(Extension::SmtpUtfEight);
    supported.then(|| vec![MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)])
}

fn describe(response: &Response) -> String {
    let lines: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), lines.join(" "))
}
