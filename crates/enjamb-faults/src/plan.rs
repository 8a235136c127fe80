//! The faults of a proxy. They may change while connections are open.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::error::FaultError;
use crate::fault::Fault;
use crate::select::MessageTest;

/// The maximum number of faults of a plan.
pub const FAULTS_MAX: usize = 256;

/// Compiles the expression that selects messages.
pub type Compile = dyn Fn(&str) -> Result<MessageTest, String> + Send + Sync;

/// The faults of a proxy, in the order in which they apply.
pub struct Plan {
    seed: u64,
    compile: Box<Compile>,
    /// The number of changes so far.
    version: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: Vec<Arc<Planned>>,
    next_id: u64,
    /// The connections to wake when something changes, by their numbers.
    wakers: HashMap<u64, Waker>,
}

/// A fault, ready to be applied.
pub(crate) struct Planned {
    /// No two faults ever have the same, nor a fault before and after a change.
    pub(crate) id: u64,
    pub(crate) fault: Fault,
    pub(crate) test: Option<MessageTest>,
}

impl Plan {
    /// Creates a plan without faults. `compile` compiles expressions that select messages. Two runs
    /// with the same `seed` make the same random choices.
    pub fn new(seed: u64, compile: impl Fn(&str) -> Result<MessageTest, String> + Send + Sync + 'static) -> Self {
        Self { seed, compile: Box::new(compile), version: AtomicU64::new(1), state: Mutex::default() }
    }

    /// Returns the faults, in the order in which they apply.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.lock().faults.iter().map(|planned| planned.fault.clone()).collect()
    }

    /// Returns the fault with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Fault> {
        self.lock().faults.iter().find(|planned| planned.fault.name == name).map(|planned| planned.fault.clone())
    }

    /// Appends a fault. Open connections have it at once.
    ///
    /// # Errors
    /// The name exists, there are too many faults, or the expression cannot be compiled.
    pub fn add(&self, fault: Fault) -> Result<(), FaultError> {
        let test = self.compile(&fault)?;
        let mut state = self.lock();
        if state.faults.iter().any(|planned| planned.fault.name == fault.name) {
            return Err(FaultError::Exists(fault.name));
        }
        if state.faults.len() >= FAULTS_MAX {
            return Err(FaultError::TooMany(FAULTS_MAX));
        }
        let planned = state.planned(fault, test);
        state.faults.push(planned);
        self.changed(state);
        Ok(())
    }

    /// Replaces the fault with the same name. It begins afresh on open connections.
    ///
    /// # Errors
    /// The name does not exist, or the expression cannot be compiled.
    pub fn replace(&self, fault: Fault) -> Result<(), FaultError> {
        let test = self.compile(&fault)?;
        let mut state = self.lock();
        let Some(at) = state.faults.iter().position(|planned| planned.fault.name == fault.name) else {
            return Err(FaultError::Missing(fault.name));
        };
        let planned = state.planned(fault, test);
        state.faults[at] = planned;
        self.changed(state);
        Ok(())
    }

    /// Replaces all faults.
    ///
    /// # Errors
    /// As [`add`](Self::add). Nothing changes then.
    pub fn set(&self, faults: Vec<Fault>) -> Result<(), FaultError> {
        if faults.len() > FAULTS_MAX {
            return Err(FaultError::TooMany(FAULTS_MAX));
        }
        let mut compiled = Vec::with_capacity(faults.len());
        for fault in faults {
            if compiled.iter().any(|(other, _): &(Fault, _)| other.name == fault.name) {
                return Err(FaultError::Exists(fault.name));
            }
            let test = self.compile(&fault)?;
            compiled.push((fault, test));
        }
        let mut state = self.lock();
        let planned: Vec<_> = compiled.into_iter().map(|(fault, test)| state.planned(fault, test)).collect();
        state.faults = planned;
        self.changed(state);
        Ok(())
    }

    /// Removes a fault. Returns whether there was one with this name.
    pub fn remove(&self, name: &str) -> bool {
        let mut state = self.lock();
        let before = state.faults.len();
        state.faults.retain(|planned| planned.fault.name != name);
        let is_removed = state.faults.len() < before;
        if is_removed {
            self.changed(state);
        }
        is_removed
    }

    fn compile(&self, fault: &Fault) -> Result<Option<MessageTest>, FaultError> {
        fault.check()?;
        let expression = fault.effect.select().and_then(|select| select.expression.as_deref());
        expression.map(|text| (self.compile)(text)).transpose().map_err(FaultError::Expression)
    }

    fn changed(&self, mut state: MutexGuard<'_, State>) {
        self.version.fetch_add(1, Ordering::Release);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_values().for_each(Waker::wake);
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn planned(&self) -> Vec<Arc<Planned>> {
        self.lock().faults.clone()
    }

    /// Wakes the task of a connection at the next change. Returns whether there was one since
    /// `version`.
    pub(crate) fn watch(&self, connection: u64, version: u64, waker: &Waker) -> bool {
        let mut state = self.lock();
        if self.version() != version {
            return true;
        }
        state.wakers.insert(connection, waker.clone());
        false
    }

    /// Forgets the task of a connection.
    pub(crate) fn unwatch(&self, connection: u64) {
        self.lock().wakers.remove(&connection);
    }

    /// Returns the random numbers of a fault on a connection.
    pub(crate) fn random(&self, connection: u64, name: &str) -> fastrand::Rng {
        // FNV-1a: the same on every machine and in every version.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in self.seed.to_le_bytes().into_iter().chain(connection.to_le_bytes()).chain(name.bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        fastrand::Rng::with_seed(hash)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn planned(&mut self, fault: Fault, test: Option<MessageTest>) -> Arc<Planned> {
        self.next_id += 1;
        Arc::new(Planned { id: self.next_id, fault, test })
    }
}
