//! Where what is not said on the command line comes from.

use super::{Outcome, failure, stdout};

#[test]
fn cli_a_configuration_widens_what_a_parameter_may_be() -> Outcome {
    let workspace = tempfile::tempdir()?;
    let path = workspace.path();
    let backtest = [
        "query",
        "select scenario from backtest(stop_loss_percent => 80)",
    ];
    let (code, refusal) = failure(path, &backtest)?;
    assert_eq!(code, Some(1));
    assert!(
        refusal.contains("must be between 1 and 50, found 80"),
        "{refusal}"
    );

    let file = path.join("hindsight.json");
    let bounds = r#"{"parameters": {"stop_loss_percent": {"maximum": 90}}}"#;
    std::fs::write(&file, bounds)?;
    stdout(path, &backtest)?;
    let range = "select maximum from parameters where name = 'stop_loss_percent'";
    let range = ["query", range, "--format", "csv"];
    assert_eq!(stdout(path, &range)?, "maximum\n90\n");

    std::fs::write(&file, bounds.replace("90", "9"))?;
    let (code, refusal) = failure(path, &range)?;
    assert_eq!(code, Some(3));
    assert!(refusal.contains("narrows stop_loss_percent"), "{refusal}");
    Ok(())
}
