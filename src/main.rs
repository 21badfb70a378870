//! dev
use hindsight::*;
#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let ws = args.next().unwrap();
    if ws == "demo" {
        let dir = std::path::PathBuf::from(args.next().unwrap());
        let t = std::time::Instant::now();
        let f = hindsight::ingest::synthetic::SyntheticHistory::default()
            .write(&dir, &|_, _| std::ops::ControlFlow::Continue(()))
            .unwrap();
        eprintln!("{:?}", t.elapsed());
        let s = |p: std::path::PathBuf| vec![p.display().to_string()];
        let r = hindsight::ingest::LoadRequest {
            signals: s(f.signals),
            prices: s(f.prices),
            trades: s(f.trades),
        };
        println!(
            "{:?}",
            hindsight::ingest::load(&dir, &r, &hindsight::ingest::NoProgress)
        );
        eprintln!("{:?}", t.elapsed());
        return;
    }
    let t = std::time::Instant::now();
    let e = Engine::open(std::path::Path::new(&ws)).await.unwrap();
    eprintln!("open {:?}", t.elapsed());
    for sql in args {
        let t = std::time::Instant::now();
        match e.sql(&sql).await {
            Ok(b) => println!(
                "{}",
                datafusion::arrow::util::pretty::pretty_format_batches(&b).unwrap()
            ),
            Err(x) => println!("{} {x} {:?}", x.sqlstate(), x.hint()),
        }
        eprintln!("{:?}", t.elapsed());
    }
}
