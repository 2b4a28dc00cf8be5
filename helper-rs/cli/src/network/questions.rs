//! Questions to the holder's name servers: from whom, and what becomes of each.

use super::flights::{failed, Asker};
use super::holder::Holder;
use super::registry::Verdict;
use rootless_core::dns::{query, reply, Fault, Rcode, LEAST_UDP};
use rustix::net::{recvfrom, sendto, RecvFlags, SendFlags};
use std::net::SocketAddr;

impl Holder {
    pub fn hear_datagrams(&mut self, at: usize) {
        // As many as a socket holds by default; others have their turn in between.
        for _ in 0..64 {
            let mut buffer = [0; 4096];
            let Ok((got, _, Some(from))) = recvfrom(&self.room.udp[at], &mut buffer, RecvFlags::empty()) else {
                return;
            };
            let Ok(from) = SocketAddr::try_from(from) else { continue };
            self.decide(Asker::Udp(at, from), &buffer[..got]);
        }
    }

    /// Answers a question, or sends it on.
    pub fn decide(&mut self, asker: Asker, asked: &[u8]) {
        if !self.registry.knows(asker.ip()) {
            return;
        }
        let query = match query::parse(asked) {
            Ok(query) => query,
            Err(Fault::Noise) => return,
            Err(Fault::Format(id)) => return self.tell(asker, &reply::refusal(id, Rcode::Format)),
            Err(Fault::Kind(id)) => return self.tell(asker, &reply::refusal(id, Rcode::NotDone)),
        };
        let most = matches!(asker, Asker::Udp(..)).then(|| query.udp.unwrap_or(LEAST_UDP));
        match self.registry.answer(asker.ip(), &query) {
            Verdict::Silence => {}
            Verdict::Answer(rcode, answers) => self.tell(asker, &reply::write(asked, &query, rcode, &answers, most)),
            Verdict::Forward(resolvers) => {
                let refusal = failed(asked, &query);
                if !self.flights.start(asker, asked, query, resolvers) {
                    self.tell(asker, &refusal);
                }
            }
        }
    }

    pub fn bring(&mut self, landed: Vec<(Asker, Vec<u8>)>) {
        for (asker, answer) in landed {
            self.tell(asker, &answer);
        }
    }

    fn tell(&mut self, asker: Asker, bytes: &[u8]) {
        match asker {
            Asker::Udp(at, to) => drop(sendto(&self.room.udp[at], bytes, SendFlags::DONTWAIT, &to)),
            Asker::Tcp(number, _) => self.streams.answer(number, bytes),
        }
    }
}
