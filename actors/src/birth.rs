//! Creates the first administrator of a cluster once, with a one-time password that is shown once.
//!
//! The node that leads the slot of the name creates the account. The name is a setting from the
//! creation of the cluster. An existing row of the name prevents a second account after a failover
//! or restart. A node that fails between the commit and the output loses the password; an operator
//! with the cluster's key sets a new one.

use std::time::Duration;

use tokio::sync::watch;
use troupe_core::command::CreateAccount;
use troupe_core::record::Author;
use troupe_core::{ClientMessageId, Command, Rejection, ShardId, Slot, Username};

use troupe_proto::client;

use crate::address::Address;
use crate::context::Asker;
use crate::message::{Answer, Refusal};
use crate::service::Service;

/// Between two attempts without a majority.
const PAUSE: Duration = Duration::from_secs(1);

/// An account that was created just now.
#[derive(Clone, PartialEq, Eq)]
pub struct Born {
    pub name: String,
    pub password: String,
}

pub async fn run(service: Service, born: watch::Sender<Option<Born>>) {
    let mut led = service.context.cluster.led();
    let mut routing = service.context.cluster.routing();
    loop {
        led.borrow_and_update();
        let table = routing.borrow_and_update().clone();
        if table.shards.is_some() {
            let Ok(name) = Username::for_operator(&table.settings.first_admin) else { return };
            let shard = table.shard(name.slot());
            let leads = shard.filter(|shard| led.borrow().contains_key(shard)).zip(table.shards);
            if let Some((shard, map)) = leads {
                match make(&service, shard, Slot(map.slots(shard).0), name).await {
                    Ok(Some(made)) => {
                        born.send_replace(Some(made));
                        return;
                    }
                    Ok(None) => return,
                    // No longer the leader, or no majority: the next leader tries.
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        }
        tokio::select! {
            changed = led.changed() => if changed.is_err() { return },
            changed = routing.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// `None` if the account exists already.
async fn make(service: &Service, shard: ShardId, first: Slot, name: Username) -> Result<Option<Born>, Refusal> {
    let key = name.key().as_str().to_owned();
    let looked = service.context.read(shard, Asker::Node, move |view| {
        // A restored cluster has the administrators of its backup.
        let taken = view.is_restored(first)? || view.user_of_name(&key)?.is_some();
        Ok(if taken { Err(Rejection::NameTaken.into()) } else { Ok(Answer::Done) })
    });
    match looked.await {
        Ok(_) => {}
        Err(Refusal::Rejected { .. }) => return Ok(None),
        Err(refusal) => return Err(refusal),
    }
    let rng = &service.context.platform.rng;
    let password = rng.password();
    let password_hash = service.passwords.hash(Address::LOCAL, password.clone()).await?;
    let command = Command::from(CreateAccount {
        name: name.clone(),
        password_hash,
        request: ClientMessageId(rng.bytes()),
        by: Author { name: "cluster".to_owned(), ..Author::default() },
        admin: true,
        one_time: true,
        born_with_cluster: true,
        created: None,
    });
    // Repeats the same command until its outcome is known: only the command that created the
    // account may report its password.
    loop {
        match service.commit(command.clone()).await {
            Ok(Answer::Registered(_)) => return Ok(Some(Born { name: name.to_string(), password })),
            Err(Refusal::Rejected { code, .. }) if code != client::Refusal::UpgradePending.code() => return Ok(None),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}
