//! The program `drses` from outside: what it prints, and how it exits.
#![forbid(unsafe_code)]
mod chat;
mod check;
mod connect;
mod crashes;
mod desugar;
mod durable;
mod examples;
mod hostile;
mod kit;
mod net;
mod operate;
mod repl;
mod run;
mod short;
mod signals;
mod state;
mod trace;
mod vats;
mod websocket;
