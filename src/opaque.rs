//! Shows what embedders hold by its name alone: they put it into types of their own that derive `Debug`, and inside
//! are keys, texts of patients and ids.

use std::fmt;

use crate::{
    App,
    broker::{Emitter, Stored, Tokens},
    chat::{Answer, Chat},
    upstash::Receiver,
};

macro_rules! opaque {
    ($($held:ident),+) => {
        $(impl fmt::Debug for $held {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($held)).finish_non_exhaustive()
            }
        })+
    };
}

opaque!(Answer, App, Chat, Emitter, Receiver, Stored, Tokens);
