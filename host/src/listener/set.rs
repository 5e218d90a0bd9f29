//! The listeners that come and go with the configuration.

use super::{BindError, Inherited, Listener, Served, bind};
use crate::drain::Drain;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// An address that is to be listened on.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The address; with port 0 the system chooses one, which stays for as long as this is planned.
    pub address: SocketAddr,
    /// What those who connect get.
    pub served: Served,
}

/// A listener that is open.
#[derive(Debug, Clone)]
pub struct Open {
    asked: SocketAddr,
    /// Where it listens.
    pub address: SocketAddr,
    /// What those who connect get.
    pub served: Served,
    listener: Arc<Listener>,
}

/// What a plan changes; in force once workers have it.
#[derive(Debug, Default)]
pub struct Change {
    /// Open already, with what they serve from now on.
    pub kept: Vec<(Arc<Listener>, Served)>,
    /// New, with a socket for each worker.
    pub opened: Vec<(Arc<Listener>, Vec<TcpListener>)>,
    /// In the plan no more.
    pub closed: Vec<Arc<Listener>>,
}

/// The listeners that are open. One for each address that was asked for.
#[derive(Debug)]
pub struct Listeners {
    workers: usize,
    drain: Drain,
    inherited: Inherited,
    open: Vec<Open>,
}

impl Listeners {
    /// None yet. `drain` ends all that there will be; what is inherited is not bound again.
    pub fn new(workers: usize, drain: Drain, inherited: Inherited) -> Self {
        Self { workers: workers.max(1), drain, inherited, open: Vec::new() }
    }

    /// Those that are open, in the order of the plan.
    pub fn open(&self) -> &[Open] {
        &self.open
    }

    /// Binds what is new in a plan. On errors, each with the number of the one that it is about, all is as before.
    pub fn prepare(&mut self, plan: &[Planned]) -> Result<Change, Vec<(usize, BindError)>> {
        let mut change = Change::default();
        let mut errors = Vec::new();
        let mut open = Vec::with_capacity(plan.len());
        for (number, planned) in plan.iter().enumerate() {
            let served = planned.served.clone();
            if let Some(known) = self.open.iter().find(|known| known.is(planned)) {
                change.kept.push((Arc::clone(&known.listener), served.clone()));
                open.push(Open { served, ..known.clone() });
                continue;
            }
            match bind(planned.address, self.workers, &self.inherited) {
                Ok(sockets) => {
                    let address = sockets.first().and_then(|socket| socket.local_addr().ok());
                    let address = address.unwrap_or(planned.address);
                    let listener = Listener::new(served.clone(), self.drain.child());
                    change.opened.push((Arc::clone(&listener), sockets));
                    open.push(Open { asked: planned.address, address, served, listener });
                }
                Err(error) => errors.push((number, error)),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let gone = self.open.iter().filter(|old| !open.iter().any(|new| Arc::ptr_eq(&new.listener, &old.listener)));
        for old in gone {
            tracing::info!(address = %old.address, "no longer listening");
            change.closed.push(Arc::clone(&old.listener));
        }
        for new in open.iter().filter(|new| change.opened.iter().any(|(opened, _)| Arc::ptr_eq(opened, &new.listener)))
        {
            let (name, tls) = (new.served.name.as_str(), new.served.tls.is_some());
            tracing::info!(address = %new.address, port = new.served.port, listener = name, tls, "listening");
        }
        self.open = open;
        Ok(change)
    }
}

impl Open {
    /// Whether it is what a plan asks for. With port 0 only the declared port tells two of them apart.
    fn is(&self, planned: &Planned) -> bool {
        self.asked == planned.address && (self.asked.port() != 0 || self.served.port == planned.served.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::ListenerName;

    fn planned(address: impl Into<SocketAddr>, port: u16) -> Planned {
        let served = Served { name: ListenerName::Gateway, port: Some(port), tls: None };
        Planned { address: address.into(), served }
    }

    const ANY: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

    #[test]
    fn what_stays_in_the_plan_is_not_bound_again() {
        let mut listeners = Listeners::new(1, Drain::default(), Inherited::default());
        let first = listeners.prepare(&[planned(ANY, 80), planned(ANY, 443)]).unwrap();
        assert_eq!((first.kept.len(), first.opened.len(), first.closed.len()), (0, 2, 0));
        let address = listeners.open()[1].address;
        let second = listeners.prepare(&[planned(ANY, 443), planned(ANY, 8443)]).unwrap();
        assert_eq!((second.kept.len(), second.opened.len(), second.closed.len()), (1, 1, 1));
        assert_eq!(listeners.open()[0].address, address);
        assert!(Arc::ptr_eq(&second.closed[0], &first.opened[0].0));
    }

    #[test]
    fn a_port_that_is_not_to_be_had_leaves_all_as_it_was() {
        let taken = bind(ANY.into(), 1, &Inherited::default()).unwrap();
        let mut listeners = Listeners::new(1, Drain::default(), Inherited::default());
        listeners.prepare(&[planned(ANY, 80)]).unwrap();
        let address = listeners.open()[0].address;
        let plan = [planned(ANY, 81), planned(taken[0].local_addr().unwrap(), 443)];
        let errors = listeners.prepare(&plan).unwrap_err();
        assert_eq!(errors.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1]);
        assert_eq!(listeners.open().iter().map(|open| open.address).collect::<Vec<_>>(), [address]);
    }
}
