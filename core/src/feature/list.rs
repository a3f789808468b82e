//! The two lists of [`crate::feature`] as macros: each entry becomes a variant, and an arm of every
//! function that depends on it.
//!
//! Contents are protobuf messages. Their fields stand in the entry, with their numbers; the bytes
//! follow from [`crate::form::Field`].

/// Declares [`super::Intent`] and everything that depends on the kind of intent.
macro_rules! intents {
    ($(
        $(#[$about:meta])*
        $number:literal = $intent:ident
            $( ($body:ident: $message:ty) )? $( { $($field:ident: $type:ty = $tag:literal),+ } )? => {
            since: $since:ident,
            groups_only: $groups_only:literal,
            grows: $grows:expr,
            cost: $cost:expr,
            refusals: $refusals:expr,
            check: |$checked:ident| $check:expr,
            decide: |$step:ident, $append:ident, $role:ident, $row:ident| $decide:expr,
        }
    )*) => {
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Intent {
            $( $(#[$about])* $intent $( ($message) )? $( { $($field: $type),+ } )?, )*
        }

        impl Intent {
            /// The refusals that single features have; [`Rejection`] has those of several.
            pub fn refusals() -> impl Iterator<Item = Refused> {
                let all: &[&'static [Refused]] = &[$crate::content::REFUSALS, $( $refusals ),*];
                all.iter().chain(OF_COMMANDS).copied().flatten().copied()
            }

            /// The level at which logs may carry it.
            pub fn since(&self) -> Level {
                match self {
                    $( Intent::$intent { .. } => Level::$since, )*
                }
            }

            /// Whether it changes a group, and so has no meaning elsewhere.
            pub(super) fn is_of_groups(&self) -> bool {
                match self {
                    $( Intent::$intent { .. } => $groups_only, )*
                }
            }

            /// Whether it adds permanent data, and so is refused while disks are almost full.
            #[allow(unused_variables, reason = "most fields do not matter")]
            pub(crate) fn grows(&self) -> bool {
                match self {
                    $( Intent::$intent $( ($body) )? $( { $($field),+ } )? => $grows, )*
                }
            }

            /// Bytes of its content that the actor's budget pays for.
            #[allow(unused_variables, reason = "not every field costs")]
            pub fn cost(&self) -> usize {
                match self {
                    $( Intent::$intent $( ($body) )? $( { $($field),+ } )? => $cost, )*
                }
            }

            /// Its number and its content, for entries without an older form.
            pub fn encode(&self) -> (u32, Bytes) {
                match self {
                    $( Intent::$intent $( ($body) )? $( { $($field),+ } )? => {
                        ($number, $crate::feature::list::content!($( ($body) )? $( { $($field: $type = $tag),+ } )?))
                    } )*
                }
            }

            /// `None`: of a later version, or damaged.
            pub fn decode(number: u32, content: &Bytes) -> Option<Intent> {
                match number {
                    $( $number => $crate::feature::list::decoded!(
                        content, Intent::$intent $( ($message) )? $( { $($field: $type = $tag),+ } )?
                    ), )*
                    _ => None,
                }
            }

            /// Refusals that need no state and only concern this intent.
            #[allow(unused_variables, reason = "not every field has a rule")]
            pub(super) fn check(&self, append: &Append) -> Result<(), Rejection> {
                match self {
                    $( Intent::$intent $( ($body) )? $( { $($field),+ } )? => {
                        let $checked = append;
                        $check
                    } )*
                }
            }
        }

        impl Step<'_> {
            /// The event for the intent of an actor with this role; `None` is an outsider that the
            /// intent admits. `row` may gain missing counts, even if the intent is refused.
            #[allow(unused_variables, reason = "not every decision needs everything")]
            pub(crate) fn decide(
                &mut self,
                append: &Append,
                role: Option<Role>,
                row: &mut Conversation,
            ) -> Result<EventKind, Rejection> {
                match &append.intent {
                    $( Intent::$intent $( ($body) )? $( { $($field),+ } )? => {
                        let ($step, $append, $role, $row) = (self, append, role, row);
                        $decide
                    } )*
                }
            }
        }
    };
}

/// Declares [`super::EventKind`] and everything that depends on the kind of event.
macro_rules! events {
    ($(
        $(#[$about:meta])*
        $number:literal $constant:ident = $kind:ident
            $( ($body:ident: $message:ty) )? $( { $($field:ident: $type:ty = $tag:literal),+ } )? => {
            name: $name:literal,
            flags: $flags:expr,
            words: $words:expr,
            project: |$step:ident, $conversation:ident, $row:ident, $event:ident| $project:expr,
        }
    )*) => {
        /// The content of an event. A kind's number is the number of its field in the `Event` of
        /// `client.proto`, its content the bytes of that field. The log is judged by these bytes,
        /// so they never change.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum EventKind {
            $( $(#[$about])* $kind $( ($message) )? $( { $($field: $type),+ } )?, )*
            /// An unknown kind or content, stored and forwarded byte for byte. `kind` is 0 where
            /// there is none.
            Unknown { kind: u32, content: Bytes },
        }

        impl EventKind {
            $( pub const $constant: u32 = $number; )*

            /// Whether this version knows the kind.
            pub fn is_known(number: u32) -> bool {
                [$( $number ),*].contains(&number)
            }

            pub fn number(&self) -> u32 {
                match self {
                    $( EventKind::$kind { .. } => $number, )*
                    EventKind::Unknown { kind, .. } => *kind,
                }
            }

            /// For programs, in forms other than protobuf.
            pub fn name(&self) -> &'static str {
                match self {
                    $( EventKind::$kind { .. } => $name, )*
                    EventKind::Unknown { .. } => "unsupported",
                }
            }

            /// The fields of the content, for programs. A message and an unknown kind have none:
            /// their content is bytes.
            pub fn facts(&self) -> Vec<(&'static str, Fact)> {
                match self {
                    $( EventKind::$kind $( { $($field),+ } )? $( ($body) )? => {
                        $crate::feature::list::facts!($( ($body) )? $( $($field)+ )?)
                    } )*
                    EventKind::Unknown { .. } => Vec::new(),
                }
            }

            /// The event in words, after the name of its sender, with users by their ids. It is
            /// safe to show.
            #[allow(unused_variables, reason = "not every field is said")]
            pub fn words(&self) -> String {
                match self {
                    $( EventKind::$kind $( ($body) )? $( { $($field),+ } )? => $words, )*
                    EventKind::Unknown { kind: EventKind::MESSAGE, content } if content.is_empty() => {
                        "(message whose content was erased)".to_owned()
                    }
                    EventKind::Unknown { kind, .. } => format!("(unsupported event, kind {kind})"),
                }
            }

            pub(crate) fn flags(&self) -> Flags {
                match self {
                    $( EventKind::$kind { .. } => $flags, )*
                    EventKind::Unknown { .. } => Flags::default(),
                }
            }

            /// Each call encodes all kinds but the unknown, so call it once for each event.
            pub fn content(&self) -> Bytes {
                match self {
                    $( EventKind::$kind $( ($body) )? $( { $($field),+ } )? => {
                        $crate::feature::list::content!($( ($body) )? $( { $($field: $type = $tag),+ } )?)
                    } )*
                    EventKind::Unknown { content, .. } => content.clone(),
                }
            }

            /// As this version understands it; `None` if the content of a known kind does not
            /// decode.
            pub fn decode(kind: u32, content: &Bytes) -> Option<EventKind> {
                match kind {
                    $( $number => $crate::feature::list::decoded!(
                        content, EventKind::$kind $( ($message) )? $( { $($field: $type = $tag),+ } )?
                    ), )*
                    _ => Some(EventKind::Unknown { kind, content: content.clone() }),
                }
            }
        }

        impl Step<'_> {
            /// Applies the event: rows, and outbox rows for other slots. Never fails.
            #[allow(unused_variables, reason = "not every projection needs everything")]
            pub(crate) fn project(&mut self, conversation: ConversationId, row: &mut Conversation, event: &Event) {
                match &event.kind {
                    $( EventKind::$kind $( ($body) )? $( { $($field),+ } )? => {
                        let ($step, $conversation, $row, $event) = (self, conversation, row, event);
                        $project
                    } )*
                    // An erased edit is no message.
                    EventKind::Unknown { kind: EventKind::EDITED | EventKind::STREAM_ENDED, .. } => {}
                    // An unknown event begins a conversation like a message.
                    EventKind::Unknown { .. } => self.project_message(conversation, row, event),
                }
            }
        }
    };
}

/// The bytes of a content.
macro_rules! content {
    () => {
        Bytes::new()
    };
    (($body:ident)) => {
        Bytes::from(prost::Message::encode_to_vec($body))
    };
    ({ $($field:ident: $type:ty = $tag:literal),+ }) => {{
        let mut bytes = Vec::new();
        $( <$type as $crate::form::Field>::write($field, $tag, &mut bytes); )+
        Bytes::from(bytes)
    }};
}

/// The value with this content; `None` if it does not decode.
macro_rules! decoded {
    ($content:ident, $of:ident::$variant:ident) => {
        Some($of::$variant)
    };
    ($content:ident, $of:ident::$variant:ident ($message:ty)) => {
        <$message as prost::Message>::decode($content.clone()).ok().map($of::$variant)
    };
    ($content:ident, $of:ident::$variant:ident { $($field:ident: $type:ty = $tag:literal),+ }) => {
        (|| {
            $( let mut $field = <<$type as $crate::form::Field>::Raw>::default(); )+
            $crate::form::decode_message($content, |number, wire, from, context| match number {
                $( $tag => <$type as $crate::form::Field>::merge(&mut $field, wire, from, context), )+
                _ => prost::encoding::skip_field(wire, number, from, context),
            })
            .ok()?;
            Some($of::$variant {
                $( $field: <$type as $crate::form::Field>::checked($field, stringify!($field)).ok()?, )+
            })
        })()
    };
}

macro_rules! facts {
    () => {
        Vec::new()
    };
    (($body:ident)) => {{
        let _ = $body;
        Vec::new()
    }};
    ($($field:ident)+) => {
        vec![$( (stringify!($field), $crate::feature::Fact::from($field)) ),+]
    };
}

pub(super) use {content, decoded, events, facts, intents};
