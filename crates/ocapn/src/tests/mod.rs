//! Machines back to back, in memory; and one machine against bytes made by hand.
mod chaos;
mod durable;
mod hostile;
mod lines;
mod sessions;
mod three;
mod value;
mod world;
