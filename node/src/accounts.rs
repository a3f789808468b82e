//! `troupe user`, `troupe invite`, `troupe audit`, `troupe passwd` and `troupe cluster settings`:
//! what administrators do, and what everybody may do to their own account. All of it goes over the
//! client protocol, as the user named by `--as`.

use std::io::{IsTerminal, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use troupe_client::chat::Connected;
use troupe_client::{Client, Connection};
use troupe_core::Timestamp;
use troupe_core::text::clean;
use troupe_proto::wire::client::ChangeSettings;
use troupe_runtime::Platform;

use crate::people;
pub(crate) use show::moment;
use show::{
    account_json, account_table, audit_json, audit_table, invite_json, invite_table, session_json, session_table,
    settings_json, settings_table,
};

mod show;
mod verbs;

pub(crate) use verbs::duration;
pub use verbs::{Audit, InviteVerb, Password, SettingsArgs, UserVerb, Who};

pub async fn user(verb: UserVerb) -> Result<()> {
    match verb {
        UserVerb::List(who) => {
            let mut accounts = who.run(|client| async move { Ok(client.accounts().await?) }).await?;
            accounts.sort_by(|a, b| a.name.cmp(&b.name));
            who.show(&accounts, account_json, account_table)
        }
        UserVerb::Show { user, who } => {
            let account = who.run(|client| async move { Ok(client.account(&user).await?) }).await?;
            who.show(&[account], account_json, account_table)
        }
        UserVerb::Create { user, admin, who } => {
            let (account, password) = who
                .run(|client| async move {
                    let password = client.fresh_secret();
                    Ok((client.create_account(&user, &password, admin).await?, password))
                })
                .await?;
            one_time(&who, &account.name, &password)
        }
        UserVerb::ResetPassword { user, who } => {
            let name = user.clone();
            let password = who
                .run(|client| async move {
                    let password = client.fresh_secret();
                    client.reset_password(&user, &password).await?;
                    Ok(password)
                })
                .await?;
            one_time(&who, &name, &password)
        }
        UserVerb::Disable { user, who } => {
            who.done(|client| async move { Ok(client.disable_account(&user).await?) }).await
        }
        UserVerb::Enable { user, who } => {
            who.done(|client| async move { Ok(client.enable_account(&user).await?) }).await
        }
        UserVerb::Delete { user, yes, who } => {
            if !yes {
                confirm(&format!("close the account {user} for good?"))?;
            }
            who.done(|client| async move { Ok(client.delete_account(&user).await?) }).await
        }
        UserVerb::Sessions { user, end: Some(device), who } => {
            let device = Some(device).filter(|device| device != "all");
            who.done(|client| async move { Ok(client.end_sessions(&user, device.as_deref()).await?) }).await
        }
        UserVerb::Sessions { user, end: None, who } => {
            let sessions = who.run(|client| async move { Ok(client.account_sessions(&user).await?) }).await?;
            who.show(&sessions, session_json, session_table)
        }
        UserVerb::MakeAdmin { user, revoke, who } => {
            who.done(|client| async move { Ok(client.set_admin(&user, !revoke).await?) }).await
        }
        UserVerb::SetRole { user, role, who } => {
            who.done(|client| async move { Ok(client.set_role(&user, role.name()).await?) }).await
        }
        UserVerb::ChangePassword(password) => change_password(password).await,
    }
}

pub async fn invite(verb: InviteVerb) -> Result<()> {
    match verb {
        InviteVerb::Create { uses, expires, note, who } => {
            let until = Timestamp(now_ms() + expires.as_millis() as u64);
            let (invite, code) = who
                .run(|client| async move {
                    let code = client.fresh_secret();
                    Ok((client.create_invite(&code, uses, until, &note).await?, code))
                })
                .await?;
            let (until, id) = (moment(invite.expires_ms), &invite.id);
            who.output.print(
                || json!({ "code": code, "invite": invite_json(&invite) }),
                || format!("code {code}   ({uses} uses, until {until}; its id is {id})\nIt is not shown again.\n"),
            );
            Ok(())
        }
        InviteVerb::List(who) => {
            let invites = who.run(|client| async move { Ok(client.invites().await?) }).await?;
            who.show(&invites, invite_json, invite_table)
        }
        InviteVerb::Revoke { id, who } => who.done(|client| async move { Ok(client.revoke_invite(&id).await?) }).await,
    }
}

pub async fn audit(args: Audit) -> Result<()> {
    let since = Timestamp(args.since.map_or(0, |since| now_ms().saturating_sub(since.as_millis() as u64)));
    let rows = args.who.run(|client| async move { Ok(client.audit(since).await?) }).await?;
    args.who.show(&rows, audit_json, audit_table)
}

pub async fn settings(args: SettingsArgs) -> Result<()> {
    let session_idle_seconds = args.session_idle.map(|idle| idle.as_secs());
    let recall_seconds = args.recall.map(|within| within.as_secs());
    let (registration, strangers) = (args.registration, args.strangers);
    let file_bytes = args.file_bytes;
    let change = ChangeSettings { registration, session_idle_seconds, strangers, recall_seconds, file_bytes };
    let settings = args
        .who
        .run(|client| async move {
            Ok(match change == ChangeSettings::default() {
                true => client.settings().await?,
                false => client.change_settings(change).await?,
            })
        })
        .await?;
    args.who.show(&[settings], settings_json, settings_table)
}

/// Changes the password in the same step as a login, so that it serves for a one-time password too.
pub async fn change_password(args: Password) -> Result<()> {
    let account = people::account(args.account, false)?;
    let old = match account.password.clone() {
        Some(old) => old,
        None => people::ask_password(&format!("password of {}: ", clean(&account.name)))?,
    };
    let new = match args.new_password {
        Some(new) => new,
        None => {
            let new = people::ask_password("new password: ")?;
            if people::ask_password("the new password again: ")? != new {
                bail!("the two are not the same: nothing was changed");
            }
            new
        }
    };
    let net = Platform::production().net;
    let mut failed = None;
    for server in &account.servers {
        match Connection::open_trusting(&*net, server, &account.trust).await {
            Ok((connection, _pushes)) => {
                connection.login_with_new(&account.name, &old, &new, "troupe-passwd").await?;
                connection.request(troupe_client::connection::Request::Logout(Default::default())).await?;
                println!("the password of {} is changed; its other sessions have ended", account.name);
                return Ok(());
            }
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.map_or_else(|| anyhow::anyhow!("no server is given"), Into::into))
}

impl Who {
    /// Logs in, does it, and logs out again where no session is kept: a command leaves no device
    /// behind.
    pub(crate) async fn run<T, F: Future<Output = Result<T>>>(&self, work: impl FnOnce(Client) -> F) -> Result<T> {
        let account = people::account(self.account.clone(), false)?;
        let kept = account.state_dir.is_some();
        let Connected { client, events, .. } = account.connect().await?;
        drop(events);
        let done = work(client.clone()).await;
        if !kept {
            // The answer counts; a session that stays because of a lost connection ends when it is
            // idle.
            drop(client.logout().await);
        }
        client.close().await;
        done
    }

    async fn done<F: Future<Output = Result<()>>>(&self, work: impl FnOnce(Client) -> F) -> Result<()> {
        self.run(work).await?;
        self.output.print(|| json!({ "done": true }), || "done\n".to_owned());
        Ok(())
    }

    pub(crate) fn show<T>(
        &self,
        rows: &[T],
        as_json: impl Fn(&T) -> Value,
        table: impl Fn(&[T]) -> String,
    ) -> Result<()> {
        self.output.print(|| rows.iter().map(as_json).collect(), || table(rows));
        Ok(())
    }
}

fn one_time(who: &Who, name: &str, password: &str) -> Result<()> {
    let lines = || {
        format!(
            "one-time password of {name}: {password}\n\
             It is not shown again. The first login sets another one: troupe passwd --as {name}\n"
        )
    };
    who.output.print(|| json!({ "name": name, "one_time_password": password }), lines);
    Ok(())
}

fn confirm(question: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!("{question} Give --yes to do it without a terminal");
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    if matches!(line.trim(), "y" | "Y" | "yes") { Ok(()) } else { bail!("nothing was done") }
}

#[allow(clippy::disallowed_methods, reason = "a command of a person, never part of a node")]
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
