//! Tests for the shipped scenarios, and for the errors of failing scenarios.

use paytend_sandbox::scenario::{SHIPPED, Scenario, ScenarioError};

#[tokio::test]
async fn shipped_scenarios_succeed() {
    for (name, text) in SHIPPED {
        let mut steps = 0;
        let outcome = Scenario::read(text).unwrap().run(|_| steps += 1).await;
        assert!(outcome.is_ok() && steps > 5, "{name}: {}", outcome.unwrap_err());
    }
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).unwrap().count();
    assert_eq!(files, SHIPPED.len());
}

#[tokio::test]
async fn error_names_the_failing_step_and_the_reason() {
    let run = |steps: &str| {
        let text = format!("name = \"x\"\n{steps}");
        async move { Scenario::read(&text).unwrap().run(|_| {}).await.unwrap_err().to_string() }
    };
    for (steps, words) in [
        (
            "[[step]]\ncall = \"getPartnerBalance\"\nexpect = { respCode = \"01\" }",
            "step 1 (call getPartnerBalance): expected respCode to be 01; found 00",
        ),
        (
            "[[step]]\nfunds = true\n[[step]]\nnotified = \"baas 2\"",
            "step 2 (expect notification baas 2): no notification was received",
        ),
        ("[[step]]\ncard = \"${card}\"", "step 1 (check a card): no value is saved as card"),
        ("[[step]]\ncall = \"getMoney\"", "no operation has this name or path"),
        ("[[step]]\nadvance = \"soon\"", "invalid duration soon; examples: 90s, 15h"),
        ("[[step]]\nexpect = { x = 1 }", "step 1 (): the step does nothing"),
        ("[[step]]\nrespond = [99]", "`respond` must contain only HTTP statuses from 200 to 599"),
        ("[[step]]\ncall = \"getCardInfo\"\ndata = { cardId = \"1\" }", "expected respCode 00; found S101"),
        ("[[step]]\nfunds = true\nsave = { x = \"USD\" }", "cannot save USD: no such value"),
    ] {
        let said = run(steps).await;
        assert!(said.contains(words), "{said}");
    }
    assert!(matches!(Scenario::read("name = \"x\"\n[[step]]\ncal = \"y\""), Err(ScenarioError::Text(_))));
}
