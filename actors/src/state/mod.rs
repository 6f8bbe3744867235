//! What is known of recordings: manifests in their folders, an index over them, and the actor
//! that owns both.

mod actor;
mod index;
mod manifests;

pub use actor::{
    Clear, FindByKey, FindByName, Get, List, Listeners, Remaining, Remove, Save, State, StoreActor,
};
pub use index::{Difference, compare as compare_index};
pub use manifests::Manifests;
