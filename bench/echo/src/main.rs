//! Echo over TCP by capnp-rpc on one thread a side: `serve`, or `call PORT CALLS OUTSTANDING`, which prints how long it took.
use std::rc::Rc;
use capnp_rpc::{RpcSystem, rpc_twoparty_capnp::Side, twoparty};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::time::Instant;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};

capnp::generated_code!(pub mod echo_capnp);
use echo_capnp::echo;

struct Echoes;

impl echo::Server for Echoes {
    async fn echo(self: Rc<Self>, params: echo::EchoParams, mut results: echo::EchoResults) -> Result<(), capnp::Error> {
        let params = params.get()?;
        let mut out = results.get();
        out.set_n(params.get_n());
        out.set_text(params.get_text()?);
        Ok(())
    }
}

fn network(stream: TcpStream, side: Side) -> Box<twoparty::VatNetwork<impl futures::AsyncRead + Unpin>> {
    stream.set_nodelay(true).expect("nodelay");
    let (reads, writes) = stream.into_split();
    let writes = futures::io::BufWriter::new(writes.compat_write());
    Box::new(twoparty::VatNetwork::new(futures::io::BufReader::new(reads.compat()), writes, side, Default::default()))
}

async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    let client: echo::Client = capnp_rpc::new_client(Echoes);
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let system = RpcSystem::new(network(stream, Side::Server), Some(client.clone().client));
        tokio::task::spawn_local(system);
    }
}

async fn one(echo: &echo::Client, n: i64) {
    let mut request = echo.echo_request();
    request.get().set_n(n);
    request.get().set_text("hello");
    let answer = request.send().promise.await.expect("an answer");
    assert_eq!(answer.get().expect("results").get_n(), n);
}

async fn call(port: u16, calls: i64, outstanding: usize) {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let mut system = RpcSystem::new(network(stream, Side::Client), None);
    let echo: echo::Client = system.bootstrap(Side::Server);
    tokio::task::spawn_local(system);
    let run = async |calls: i64| {
        let mut waiting = FuturesUnordered::new();
        for n in 0..calls {
            if waiting.len() == outstanding {
                waiting.next().await;
            }
            waiting.push(one(&echo, n));
        }
        while waiting.next().await.is_some() {}
    };
    run(calls / 10).await;
    let begun = Instant::now();
    run(calls).await;
    println!("{}", begun.elapsed().as_secs_f64());
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    match words[..] {
        ["serve"] => local.block_on(&runtime, serve()),
        ["call", port, calls, outstanding] => {
            let number = |t: &str| t.parse::<u32>().expect("a number");
            local.block_on(&runtime, call(number(port) as u16, number(calls).into(), number(outstanding) as usize));
        }
        _ => panic!("serve, or call PORT CALLS OUTSTANDING"),
    }
}
