//! Account opening: user, documents, questionnaire, audit.

use paytend_model::documents::{Applicant, Country, Document, required_documents};
use paytend_model::iban::{
    CorporationQuestionnaire, CreateCorporation, CreateIndividual, IndividualQuestionnaire, RegisterResponse,
    UploadDocument, UserStatusChange, VerifyMobileNumber,
};
use paytend_model::{BaasNotification, MAX_FILE_BYTES, NoData};

use super::context::Context;
use super::entities::{AccountState, Audit, Task, User, user_code};
use super::iban::{account, iban};
use super::money::Cents;
use super::partner::{Partner, given, same_mobile};
use crate::failure::{Failure, Refusal};

/// The meaning of each `fileType` in the sandbox. The provider's codes are in the partner's contract documents.
const FILE_TYPES: [(&str, Document); 8] = [
    ("1", Document::IdCard),
    ("2", Document::Passport),
    ("3", Document::FacePhoto),
    ("4", Document::EeaResidencePermit),
    ("5", Document::EeaAddressCertificate),
    ("6", Document::CertificateOfIncorporation),
    ("7", Document::ArticlesOfAssociation),
    ("8", Document::BusinessRegistrationCertificate),
];

pub(super) fn verify_mobile(_: &mut Partner, _: &mut Context<'_>, _: VerifyMobileNumber) -> Result<NoData, Refusal> {
    Ok(NoData::default())
}

fn register(partner: &mut Partner, mobile: &str, user: User) -> Result<RegisterResponse, Refusal> {
    if partner.users.values().any(|user| same_mobile(&user.mobile, mobile)) {
        return Err(Failure::DuplicateUser.into());
    }
    let id = format!("U{:06}", partner.number("user"));
    partner.users.insert(id.clone(), user);
    let mut response = RegisterResponse::new();
    response.user_id = Some(id.into());
    Ok(response)
}

fn new_user(mobile: &str) -> User {
    User {
        mobile: mobile.to_owned(),
        person: None,
        country: None,
        state: AccountState::Registered,
        audit: None,
        standard: false,
        documents: Vec::new(),
        identified: false,
        accounts: Vec::new(),
    }
}

pub(super) fn create_individual(
    partner: &mut Partner,
    _: &mut Context<'_>,
    person: CreateIndividual,
) -> Result<RegisterResponse, Refusal> {
    let mobile = person.mobile.as_str().to_owned();
    let user = User { person: Some(Box::new(person)), ..new_user(&mobile) };
    register(partner, &mobile, user)
}

pub(super) fn create_corporation(
    partner: &mut Partner,
    _: &mut Context<'_>,
    corporation: CreateCorporation,
) -> Result<RegisterResponse, Refusal> {
    let mobile = corporation.mobile.as_str();
    let country = given(corporation.country_code.as_deref()).unwrap_or("LT").to_owned();
    let user = User { country: Some(country), ..new_user(mobile) };
    register(partner, mobile, user)
}

pub(super) fn upload(partner: &mut Partner, _: &mut Context<'_>, document: UploadDocument) -> Result<NoData, Refusal> {
    let user = partner.user_mut(document.user_id.as_str())?;
    if matches!(user.state, AccountState::UnderAudit | AccountState::Open) {
        return Err(wrong(user));
    }
    match document.file_content.as_ref().filter(|content| !content.as_bytes().is_empty()) {
        Some(content) if content.as_bytes().len() > MAX_FILE_BYTES => return Err(Failure::FileTooLarge.into()),
        Some(_) => user.documents.push(given(document.file_type.as_deref()).unwrap_or("3").to_owned()),
        // An upload without a file contains an identity verification provider's result.
        None => user.identified = true,
    }
    user.state = AccountState::DocumentsUploaded;
    Ok(NoData::default())
}

fn wrong(user: &User) -> Refusal {
    Refusal::because(Failure::WrongState, format!("the user's status is {}", user_code(user.state).as_str()))
}

/// Returns the names of the missing documents. If the applicant's country is unknown, no documents are required.
fn missing(user: &User) -> Vec<String> {
    let country = |code: &str| code.parse::<Country>().ok();
    let applicant = match (&user.person, &user.country) {
        (_, Some(code)) => country(code).map(Applicant::corporation),
        (Some(person), None) => person.nationality_code.as_ref().and_then(|code| country(code.as_str())).map(|of| {
            let residence = person.address.as_ref().and_then(|address| country(address.country_code.as_str()));
            Applicant::person(of, residence.unwrap_or(of))
        }),
        _ => None,
    };
    let provided: Vec<Document> = FILE_TYPES
        .iter()
        .filter(|(code, _)| user.documents.iter().any(|one| one == code))
        .map(|(_, document)| *document)
        .collect();
    let needed = applicant.map(|applicant| required_documents(&applicant)).unwrap_or_default();
    needed.iter().filter(|one| !user.identified && !one.is_met_by(&provided)).map(ToString::to_string).collect()
}

fn answered(partner: &mut Partner, context: &mut Context<'_>, id: &str, corporation: bool) -> Result<NoData, Refusal> {
    let user = partner.user_mut(id)?;
    if user.country.is_some() != corporation {
        return Err(Refusal::because(Failure::WrongState, "this questionnaire is for a different kind of user"));
    }
    if user.state == AccountState::Registered {
        return Err(Failure::MissingDocuments.into());
    }
    if user.state != AccountState::DocumentsUploaded {
        return Err(wrong(user));
    }
    let missing = missing(user);
    if !missing.is_empty() {
        return Err(Refusal::because(Failure::MissingDocuments, missing.join(", ")));
    }
    user.state = AccountState::UnderAudit;
    user.audit = Some(Audit::Pending);
    partner.later(context.now.saturating_add(context.timing().account_audit), Task::AuditUser(id.to_owned()));
    Ok(NoData::default())
}

pub(super) fn individual_questionnaire(
    partner: &mut Partner,
    context: &mut Context<'_>,
    request: IndividualQuestionnaire,
) -> Result<NoData, Refusal> {
    answered(partner, context, request.user_id.as_str(), false)
}

pub(super) fn corporation_questionnaire(
    partner: &mut Partner,
    context: &mut Context<'_>,
    request: CorporationQuestionnaire,
) -> Result<NoData, Refusal> {
    answered(partner, context, request.user_id.as_str(), true)
}

/// Applies an audit result. A passed audit opens an account with an IBAN. Notifications report the status and the
/// account.
pub(super) fn audited(partner: &mut Partner, context: &mut Context<'_>, id: &str, result: Audit) {
    let Some(user) = partner.users.get_mut(id) else { return };
    user.audit = Some(result);
    user.state = match result {
        Audit::Passed => AccountState::Open,
        Audit::Rejected => AccountState::Rejected,
        Audit::Pending => AccountState::UnderAudit,
    };
    let mut change = UserStatusChange::new();
    change.user_id = Some(id.into());
    change.audit_status = Some(result.code());
    change.user_status = Some(user_code(user.state));
    let opened = result == Audit::Passed && user.accounts.is_empty();
    context.notify(partner, BaasNotification::UserStatusChange(Box::new(change)).into());
    if opened {
        let iban = iban(partner.number("account"));
        let currency = context.settings.currency.clone();
        if let Some(user) = partner.users.get_mut(id) {
            user.accounts.push(iban.clone());
        }
        let content = account(id, &iban, &currency, Cents(0).amount());
        context.notify(partner, BaasNotification::AccountOpening(Box::new(content)).into());
    }
}
