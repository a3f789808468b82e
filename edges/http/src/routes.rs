//! The routes, one file per resource.

pub mod accounts;
pub mod admin;
pub mod bodies;
pub mod bots;
pub mod calls;
pub mod changes;
pub mod contacts;
pub mod conversations;
pub mod event;
pub mod events;
pub mod favourites;
pub mod file_messages;
pub mod files;
pub mod forwards;
pub mod groups;
pub mod hooks;
pub mod invitations;
pub mod join_requests;
pub mod links;
pub mod me;
pub mod members;
pub mod messages;
pub mod moderation;
pub mod nodes;
pub mod personal;
pub mod pins;
pub mod polls;
pub mod push;
pub mod reactions;
pub mod readers;
pub mod reports;
pub mod scheduled;
pub mod search;
pub mod signals;
pub mod streams;
pub mod uploads;
pub mod users;
pub mod watch;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;

/// All routes with their descriptions: a route that is not described cannot be added here.
pub fn all() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(accounts::register))
        .routes(routes!(accounts::login))
        .routes(routes!(accounts::logout))
        .routes(routes!(me::show, me::change))
        .routes(routes!(me::password))
        .routes(routes!(me::sessions))
        .routes(routes!(me::end_session))
        .routes(routes!(messages::history, messages::send))
        .routes(routes!(changes::edit, changes::recall))
        .routes(routes!(reactions::give, reactions::take_back))
        .routes(routes!(search::search))
        .routes(routes!(polls::vote, polls::take_back))
        .routes(routes!(polls::close))
        .routes(routes!(polls::votes))
        .routes(routes!(forwards::forward))
        .routes(routes!(forwards::broadcast))
        .routes(routes!(scheduled::list))
        .routes(routes!(scheduled::cancel))
        .routes(routes!(signals::typing, signals::stopped))
        .routes(routes!(signals::send))
        .routes(routes!(streams::write))
        .routes(routes!(streams::end))
        .routes(routes!(calls::start))
        .routes(routes!(calls::accept))
        .routes(routes!(calls::refuse))
        .routes(routes!(calls::busy))
        .routes(routes!(calls::end))
        .routes(routes!(uploads::create))
        .routes(routes!(uploads::options, uploads::state, uploads::show, uploads::write, uploads::cancel))
        .routes(routes!(files::read))
        .routes(routes!(files::show))
        .routes(routes!(files::link))
        .routes(routes!(files::usage))
        .routes(routes!(file_messages::list))
        .routes(routes!(files::preview))
        .routes(routes!(events::follow))
        .routes(routes!(conversations::list))
        .routes(routes!(conversations::show, conversations::change, conversations::leave))
        .routes(routes!(conversations::read))
        .routes(routes!(personal::show, personal::change))
        .routes(routes!(personal::delete))
        .routes(routes!(favourites::list))
        .routes(routes!(favourites::save, favourites::remove))
        .routes(routes!(conversations::delivered))
        .routes(routes!(groups::create))
        .routes(routes!(moderation::settings))
        .routes(routes!(moderation::transfer))
        .routes(routes!(moderation::disband))
        .routes(routes!(moderation::bans))
        .routes(routes!(join_requests::list, join_requests::ask, join_requests::withdraw))
        .routes(routes!(readers::list))
        .routes(routes!(readers::count))
        .routes(routes!(pins::list))
        .routes(routes!(pins::pin, pins::unpin))
        .routes(routes!(join_requests::accept))
        .routes(routes!(join_requests::refuse))
        .routes(routes!(links::list, links::create))
        .routes(routes!(links::revoke))
        .routes(routes!(links::preview))
        .routes(routes!(links::join))
        .routes(routes!(moderation::ban, moderation::lift))
        .routes(routes!(members::list, members::add))
        .routes(routes!(members::add_one, members::change, members::remove))
        .routes(routes!(invitations::list))
        .routes(routes!(invitations::accept))
        .routes(routes!(invitations::decline))
        .routes(routes!(users::find))
        .routes(routes!(users::show))
        .routes(routes!(users::presence))
        .routes(routes!(users::own_presence, users::change_presence))
        .routes(routes!(watch::watch))
        .routes(routes!(users::online))
        .routes(routes!(contacts::list))
        .routes(routes!(contacts::show, contacts::ask, contacts::remark, contacts::end))
        .routes(routes!(contacts::accept))
        .routes(routes!(contacts::blocks))
        .routes(routes!(contacts::block, contacts::unblock))
        .routes(routes!(reports::file))
        .routes(routes!(bots::list, bots::create))
        .routes(routes!(bots::rotate))
        .routes(routes!(bots::end))
        .routes(routes!(hooks::list, hooks::create))
        .routes(routes!(hooks::end))
        .routes(routes!(hooks::dead))
        .routes(routes!(hooks::retry))
        .routes(routes!(hooks::post))
        .routes(routes!(push::show))
        .routes(routes!(push::subscribe, push::unsubscribe))
        .routes(routes!(nodes::list))
        .merge(admin::all())
}
