//! The demo steps that open an account for a customer and issue a card.

use paytend_model::FileContent;
use paytend_model::iban::{CreateIndividual, IndividualQuestionnaire, UploadDocument, VerifyMobileNumber};
use paytend_model::issuing::{Address, ApplyCard, CreateCardholder, QueryApplyResult, QuerySkus};

use super::{Demo, required};
use crate::exit::Failure;

const MOBILE: &str = "37060000000";
const FIRST_NAME: &str = "Žilvinas";
const LAST_NAME: &str = "Pavyzdys";
/// The sandbox's code for a virtual card.
const VIRTUAL: &str = "1";
/// The sandbox's codes for an ID card and for a photo of the customer's face.
const DOCUMENTS: [(&str, &str); 2] = [("1", "ID card"), ("3", "photo")];

impl Demo<'_> {
    pub(super) async fn open_account(&mut self) -> Result<(), Failure> {
        self.report.section("Open an account")?;
        let verify = VerifyMobileNumber::builder().mobile(MOBILE).type_("1").build();
        self.call("verifyMobileNumber", "A mobile number is verified", &verify).await?;
        self.report.end(&format!("+{MOBILE}"))?;
        let person = CreateIndividual::builder()
            .mobile(MOBILE)
            .first_name(FIRST_NAME)
            .last_name(LAST_NAME)
            .nationality_code("LT")
            .build();
        let created = self.call("createIndividual", "A customer is registered", &person).await?;
        let user = required(created.user_id, "userId")?;
        self.report.end(&format!("{FIRST_NAME} {LAST_NAME}, user {}", user.as_str()))?;
        for (code, name) in DOCUMENTS {
            let file = FileContent::from(format!("the image of the {name}").into_bytes());
            let upload = UploadDocument::file(user.clone(), code.into(), file);
            self.call("uploadDocument", "A document is uploaded", &upload).await?;
            self.report.end(name)?;
        }
        let answers = IndividualQuestionnaire::new(user);
        self.call("individualQuestionnaire", "The questionnaire is sent", &answers).await?;
        self.report.end("the sandbox audits the customer")?;
        self.report.begin("accountOpening", "A notification reports the account")?;
        let iban = self.server.opened_account().await?;
        self.report.fact("iban", iban.clone());
        self.report.end(&iban)
    }

    /// Issues a card, and returns its ID.
    pub(super) async fn issue_card(&mut self) -> Result<String, Failure> {
        self.report.section("Issue a card")?;
        let created = self.call("createCardholder", "A cardholder is created", &cardholder()).await?;
        let holder = required(created.holder_id, "holderId")?;
        self.report.end(&format!("holder {}", holder.as_str()))?;
        let designs = self.call("getSKUs", "The card designs are listed", &QuerySkus::new()).await?;
        let mut designs = designs.skus.unwrap_or_default();
        self.report.end(&format!("{} designs", designs.len()))?;
        designs.retain(|design| design.card_type.as_deref() == Some(VIRTUAL));
        let design = required(designs.pop(), "skus")?;
        let application = ApplyCard::builder()
            .order_no("A-0001")
            .holder_id(holder)
            .card_scheme(required(design.card_scheme, "cardScheme")?)
            .card_type(VIRTUAL)
            .sku(required(design.sku, "sku")?)
            .quantity(1)
            .contact_name(FIRST_NAME)
            .contact_mobile(MOBILE)
            .delivery_address(address())
            .build();
        self.call("applyCard", "A virtual card is ordered", &application).await?;
        self.report.end("order A-0001")?;
        let query = QueryApplyResult::new("A-0001");
        let result = self.call("getApplyCardResult", "The order is queried", &query).await?;
        let card = required(result.card_id, "cardId")?;
        self.report.end(&format!("card {}", card.as_str()))?;
        Ok(card.as_str().to_owned())
    }
}

fn cardholder() -> CreateCardholder {
    CreateCardholder::builder()
        .mobile(MOBILE)
        .first_name(FIRST_NAME)
        .last_name(LAST_NAME)
        .id_no("P0000000")
        .id_type("2")
        .email("zilvinas@example.com")
        .birthday("1990-01-31")
        .gender("1")
        .nationality_code("LT")
        .eea_address(address())
        .build()
}

fn address() -> Address {
    Address::builder().address_line("Žalgirio g. 24").city_code("VNO").postcode("08217").country_code("LT").build()
}
