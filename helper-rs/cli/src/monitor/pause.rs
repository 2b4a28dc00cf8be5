//! Pause and resume of a container that is watched over: by the cgroup's freezer, or by stopping each of its processes.

use super::Monitor;
use crate::cgroup;
use crate::failure::{Failure, Step};
use crate::halt;

/// A paused container, and how it goes on.
#[derive(Debug)]
pub enum Paused {
    Frozen,
    /// Processes that we have stopped; those that were stopped before stay so.
    Stopped(Vec<i32>),
}

impl Monitor {
    pub fn pause(&mut self) -> Step<()> {
        let refuse = |reason: &str| Err(Failure::because("state", reason).on(&self.place.id));
        let Some(life) = self.life.as_mut().filter(|life| !life.has_ended()) else {
            return refuse("the container is not running");
        };
        if life.paused.is_some() {
            return refuse("the container is paused already");
        }
        let paused = match &life.launched.cgroup {
            Some(path) => cgroup::freeze(path, true).map(|()| Paused::Frozen)?,
            None => Paused::Stopped(halt::stop_all(life.launched.child.pid)?),
        };
        life.paused = Some(paused);
        self.halt_checks();
        self.status.paused(true);
        self.journal.say("pause", &[]);
        Ok(())
    }

    pub fn resume(&mut self) -> Step<()> {
        let paused = self.life.as_mut().and_then(|life| life.paused.take());
        let Some(paused) = paused else {
            return Err(Failure::because("state", "the container is not paused").on(&self.place.id));
        };
        match (&paused, self.life.as_ref().and_then(|life| life.launched.cgroup.as_ref())) {
            (Paused::Frozen, Some(path)) => {
                if let Err(failure) = cgroup::freeze(path, false) {
                    self.life.as_mut().into_iter().for_each(|life| life.paused = Some(Paused::Frozen));
                    return Err(failure);
                }
            }
            (Paused::Frozen, None) => {}
            (Paused::Stopped(pids), _) => halt::go_on(pids),
        }
        self.status.paused(false);
        self.journal.say("unpause", &[]);
        self.begin_checks(false);
        Ok(())
    }

    /// What is asked to end has to be able to.
    pub fn wake(&mut self) {
        if self.life.as_ref().is_some_and(|life| life.paused.is_some()) {
            let _ = self.resume();
        }
    }
}
