//! Accounts that are closed again when their messages are in.

use troupe_proto::wire::client as wire;
use wire::admin::Operation;
use wire::admin_answer::Answer;

use super::Import;
use crate::cluster::{Cluster, ask, other_answer};
use crate::line::{Account, Status};
use crate::{Error, Result, id_of};

impl<C: Cluster> Import<'_, C> {
    /// Disables or deletes an account whose messages are in now.
    pub(super) async fn close(&mut self, account: &Account) -> Result<()> {
        let doing = format!("account {}", account.name);
        let Some(user) = self.users.get(&account.name) else { return Ok(()) };
        let shown = self.ask(Operation::ShowAccount(user.to_string())).await.map_err(Error::refused(&doing))?;
        let Answer::Accounts(page) = shown else { return Err(other_answer(&doing)) };
        if page.accounts.first().is_some_and(|shown| shown.status == account.status.as_str()) {
            return Ok(());
        }
        let operation = match account.status {
            Status::Active => return Ok(()),
            Status::Disabled => Operation::DisableAccount(user.to_string()),
            Status::Deleted => Operation::DeleteAccount(user.to_string()),
        };
        let word = account.status.as_str();
        let request = id_of(&[word.as_bytes(), self.source.as_bytes(), account.name.as_bytes()]);
        ask(self.cluster, request, operation).await.map_err(Error::refused(&doing))?;
        self.report.took(&format!("accounts {word} again"), 1);
        Ok(())
    }
}
