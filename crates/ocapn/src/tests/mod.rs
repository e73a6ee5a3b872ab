//! Machines back to back, in memory; and one machine against bytes made by hand.
pub(crate) mod chaos;
#[cfg(test)]
mod durable;
#[cfg(test)]
mod hostile;
pub(crate) mod lines;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod three;
pub(crate) mod value;
pub(crate) mod world;
