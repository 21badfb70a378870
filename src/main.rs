//! dev
use hindsight::*;
#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let ws = args.next().unwrap();
    let e = Engine::open(std::path::Path::new(&ws)).await.unwrap();
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
