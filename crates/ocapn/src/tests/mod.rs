//! Machines back to back, in memory; and one machine against bytes made by hand.
mod hostile;
mod sessions;
mod three;
mod value;
mod world;
