//! Cardholder operations, and the cities for their addresses.

use paytend_model::issuing::{
    CitiesResponse, City, CreateCardholder, HolderResponse, QueryCardholder, QueryCities, UpdateCardholder,
    UploadDocument,
};
use paytend_model::{Count, CountryCode, IssuingNotification, MAX_FILE_BYTES, NoData, issuing::CardHolderResult};

use crate::failure::{Failure, Refusal};
use crate::world::context::Context;
use crate::world::entities::{Audit, Holder, Task};
use crate::world::partner::{Partner, given, page};

fn response(id: &str, holder: &Holder) -> HolderResponse {
    let mut response = HolderResponse::new();
    response.holder_id = Some(id.into());
    response.mobile = Some(holder.data.mobile.clone());
    response.email = Some(holder.data.email.clone());
    response.id_no = Some(holder.data.id_no.clone());
    response.id_type = Some(holder.data.id_type.clone());
    response.nationality_code = Some(holder.data.nationality_code.clone());
    response.status = Some(holder.audit.code());
    response
}

pub(in crate::world) fn create(
    partner: &mut Partner,
    context: &mut Context<'_>,
    data: CreateCardholder,
) -> Result<HolderResponse, Refusal> {
    let id = format!("H{:06}", partner.number("holder"));
    let delay = context.timing().holder_audit;
    let audit = if delay == 0 { Audit::Passed } else { Audit::Pending };
    let holder = Holder { data, audit: Audit::Pending, documents: 0 };
    let mut answer = response(&id, &holder);
    answer.status = Some(audit.code());
    partner.holders.insert(id.clone(), holder);
    partner.later(context.now.saturating_add(delay), Task::AuditHolder(id));
    Ok(answer)
}

pub(in crate::world) fn update(
    partner: &mut Partner,
    _: &mut Context<'_>,
    update: UpdateCardholder,
) -> Result<HolderResponse, Refusal> {
    let id = update.holder_id.as_str();
    let holder = partner.holders.get_mut(id).ok_or(Failure::UnknownHolder)?;
    // Fields that the request does not contain keep their values.
    if !update.birthday.as_str().is_empty() {
        holder.data.birthday = update.birthday;
    }
    if !update.gender.as_str().is_empty() {
        holder.data.gender = update.gender;
    }
    if !update.nationality_code.is_empty() {
        holder.data.nationality_code = update.nationality_code;
    }
    holder.data.eea_address = update.eea_address;
    Ok(response(id, holder))
}

pub(in crate::world) fn get(
    partner: &mut Partner,
    _: &mut Context<'_>,
    query: QueryCardholder,
) -> Result<HolderResponse, Refusal> {
    let found = match given(query.holder_id.as_deref()) {
        Some(id) => partner.holders.get_key_value(id),
        None => partner.holders.iter().find(|(_, holder)| {
            Some(&holder.data.id_no) == query.id_no.as_ref() && Some(&holder.data.id_type) == query.id_type.as_ref()
        }),
    };
    let (id, holder) = found.ok_or(Failure::UnknownHolder)?;
    Ok(response(id, holder))
}

/// Uploads a document. If the cardholder was rejected, another audit starts.
pub(in crate::world) fn upload(
    partner: &mut Partner,
    context: &mut Context<'_>,
    document: UploadDocument,
) -> Result<NoData, Refusal> {
    let id = document.holder_id.as_str().to_owned();
    let holder = partner.holders.get_mut(&id).ok_or(Failure::UnknownHolder)?;
    if document.file_content.as_bytes().len() > MAX_FILE_BYTES {
        return Err(Failure::FileTooLarge.into());
    }
    holder.documents += 1;
    if holder.audit == Audit::Rejected {
        holder.audit = Audit::Pending;
        partner.later(context.now.saturating_add(context.timing().holder_audit), Task::AuditHolder(id));
    }
    Ok(NoData::default())
}

/// Applies an audit result and creates its notification.
pub(in crate::world) fn audited(partner: &mut Partner, context: &mut Context<'_>, id: &str, result: Audit) {
    let Some(holder) = partner.holders.get_mut(id) else { return };
    holder.audit = result;
    let mut content = CardHolderResult::new();
    content.holder_id = Some(id.into());
    content.status = Some(result.code());
    context.notify(partner, IssuingNotification::CardholderAudit(Box::new(content)).into());
}

/// The cities in the sandbox: code, name, country.
const CITIES: [(&str, &str, &str); 13] = [
    ("VNO", "Vilnius", "LT"),
    ("KUN", "Kaunas", "LT"),
    ("KLJ", "Klaipeda", "LT"),
    ("SQQ", "Siauliai", "LT"),
    ("LT_MA", "Marijampole", "LT"),
    ("RIX", "Riga", "LV"),
    ("TLL", "Tallinn", "EE"),
    ("BER", "Berlin", "DE"),
    ("MUC", "Munich", "DE"),
    ("PAR", "Paris", "FR"),
    ("ROM", "Rome", "IT"),
    ("MAD", "Madrid", "ES"),
    ("WAW", "Warsaw", "PL"),
];

pub(in crate::world) fn cities(
    partner: &mut Partner,
    _: &mut Context<'_>,
    query: QueryCities,
) -> Result<CitiesResponse, Refusal> {
    of_country(partner, &query.country_code, &query.start, &query.max_result)
}

pub(in crate::world) fn of_country(
    _: &Partner,
    country: &CountryCode,
    start: &Count,
    most: &Count,
) -> Result<CitiesResponse, Refusal> {
    let known = CITIES.iter().filter(|(_, _, of)| country.is_empty() || country.eq_ignore_ascii_case(of));
    let cities: Vec<City> = known
        .map(|(code, name, of)| {
            let mut city = City::new();
            city.city_code = Some((*code).into());
            city.city_name = Some((*name).into());
            city.country_code = Some((*of).into());
            city
        })
        .collect();
    if cities.is_empty() {
        return Err(Failure::UnknownCountry.into());
    }
    let (total, cities) = page(cities, start, most);
    let mut response = CitiesResponse::new();
    response.total = Some(total);
    response.cities = Some(cities);
    Ok(response)
}
