//! What befalls a run: partitions, pauses, clocks that jump, servers that forget, processes that are killed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, advance, sleep};

use crate::process::Process;
use crate::weather::Weather;
use crate::world::{World, lock};

/// The processes that run at the moment, by their place.
pub(crate) type Places = Arc<Mutex<Vec<Arc<Process>>>>;

pub(crate) struct Faults {
    pub(crate) world: Arc<World>,
    pub(crate) weather: Weather,
    pub(crate) places: Places,
}

impl Faults {
    /// Lets things happen until `end`. None of them lasts for more than twice the time to live of the locks.
    pub(crate) async fn strike_until(self, end: Instant) {
        let Some(every) = self.weather.faults_every else {
            return;
        };
        while Instant::now() < end {
            sleep(self.world.chance.between(Duration::ZERO, every * 2)).await;
            self.strike().await;
        }
    }

    async fn strike(&self) {
        let (world, ttl) = (&self.world, self.weather.ttl);
        let chance = &world.chance;
        let process = {
            let places = lock(&self.places);
            Arc::clone(&places[chance.below(places.len())])
        };
        let server = chance.below(world.servers());
        let time = chance.between(Duration::ZERO, ttl * 2);
        let until = Instant::now() + time;
        match chance.below(18) {
            0..3 => self.part(&process, (true, true), until),
            3..5 => self.part(&process, (true, false), until),
            5..7 => self.part(&process, (false, true), until),
            7..9 => {
                world.count("server stopped");
                world.server(server).stopped_until = until;
            }
            9..12 => {
                world.count("process paused");
                process.pause(time);
            }
            12 | 13 => {
                world.count("all paused");
                // The servers' clocks go on.
                advance(time.min(ttl)).await;
            }
            14 => {
                world.count("wall clock jumped");
                self.set_wall_clock(&process);
            }
            15 => {
                world.count("process killed");
                process.kill();
            }
            _ if self.weather.restarts => {
                world.count("server restarted empty");
                world.forget(server, time.min(ttl));
            }
            _ => {}
        }
    }

    pub(crate) fn set_wall_clock(&self, process: &Process) {
        let chance = &self.world.chance;
        let error = chance.between(Duration::ZERO, self.weather.wall_error);
        let ahead = chance.strikes(500);
        process.change(|state| {
            state.wall_ahead = if ahead { error } else { Duration::ZERO };
            state.wall_behind = if ahead { Duration::ZERO } else { error };
        });
    }

    /// Parts a process from some servers: what it sends, what it is answered, or both.
    fn part(&self, process: &Process, (requests, answers): (bool, bool), until: Instant) {
        self.world.count(match (requests, answers) {
            (true, true) => "parted",
            (true, false) => "requests cut off",
            _ => "answers cut off",
        });
        for server in 0..self.world.servers() {
            if self.world.chance.strikes(500) {
                self.world.link(process.number, server, |link| {
                    if requests {
                        link.requests_cut_until = until;
                    }
                    if answers {
                        link.answers_cut_until = until;
                    }
                });
            }
        }
    }
}
