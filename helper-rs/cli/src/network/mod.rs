//! Networks of the user's own: containers of one user on bridges, with names (docs/contract.md, "Networks").
//!
//! ```text
//!   H  user namespace above all containers on networks      B  network namespace with one bridge a network
//!
//!   monitor ──member──▶ holder (in H, in the host's network) ──rtnetlink──▶ B: bridge ═ veth ═ eth0 of the container
//!                          ▲ │
//!        port 53 in B ─────┘ └──▶ resolvers of the host
//! ```
//!
//! A veth pair between two network namespaces needs CAP_NET_ADMIN over both, which only an ancestor of both user namespaces
//! has. So the containers' namespaces are made below H, and whoever is in H may connect them. Every monitor keeps descriptors
//! of H and B: a holder that is killed is started again with the same two, and no container loses its network.

mod below;
mod bridges;
mod devices;
mod flights;
mod holder;
mod join;
mod links;
mod listen;
mod member;
mod netlink;
mod orders;
mod path;
mod questions;
mod registry;
mod room;
mod start;
mod streams;
mod wire;

pub use devices::hand_over;
pub use holder::serve;
pub use join::{early, place, prepare};
pub use member::Member;
pub use wire::state;

/// Step of all failures in here.
pub const STEP: &str = "network";
