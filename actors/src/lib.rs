//! The only place where decisions become deeds.
