//! The scenarios that come with the crate, and what is said of those that do not hold.

use paytend_sandbox::scenario::{SHIPPED, Scenario, ScenarioError};

#[tokio::test]
async fn the_shipped_scenarios_hold() {
    for (name, text) in SHIPPED {
        let mut steps = 0;
        let outcome = Scenario::read(text).unwrap().run(|_| steps += 1).await;
        assert!(outcome.is_ok() && steps > 5, "{name}: {}", outcome.unwrap_err());
    }
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).unwrap().count();
    assert_eq!(files, SHIPPED.len());
}

#[tokio::test]
async fn what_does_not_hold_is_named() {
    let run = |steps: &str| {
        let text = format!("name = \"x\"\n{steps}");
        async move { Scenario::read(&text).unwrap().run(|_| {}).await.unwrap_err().to_string() }
    };
    for (steps, words) in [
        (
            "[[step]]\ncall = \"getPartnerBalance\"\nexpect = { respCode = \"01\" }",
            "step 1 (call getPartnerBalance): respCode is 00, and 01 is expected",
        ),
        ("[[step]]\nfunds = true\n[[step]]\nnotified = \"baas 2\"", "step 2 (notified of baas 2): nothing has come"),
        ("[[step]]\ncard = \"${card}\"", "step 1 (look at a card): nothing is remembered as card"),
        ("[[step]]\ncall = \"getMoney\"", "no operation has this name or path"),
        ("[[step]]\nadvance = \"soon\"", "no time such as 15h"),
        ("[[step]]\nexpect = { x = 1 }", "step 1 (): it does nothing"),
        ("[[step]]\nanswer = [99]", "an answer is an HTTP status"),
        ("[[step]]\ncall = \"getCardInfo\"\ndata = { cardId = \"1\" }", "respCode is S101, and 00 is expected"),
        ("[[step]]\nfunds = true\nsave = { x = \"USD\" }", "there is no USD to remember"),
    ] {
        let said = run(steps).await;
        assert!(said.contains(words), "{said}");
    }
    assert!(matches!(Scenario::read("name = \"x\"\n[[step]]\ncal = \"y\""), Err(ScenarioError::Text(_))));
}
