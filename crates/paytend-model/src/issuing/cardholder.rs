//! Cardholder operations, and the query for the cities used in addresses.

use super::{observed, observed_without_response};
use crate::operation::OperationKind::{Mutation, Query};
use crate::operation::{NoData, Operation, OperationInfo};
use crate::payload::given;
use crate::validate::{Report, Rule};
use crate::value::{
    Base64Text, Code, Count, CountryCode, FileContent, Gender, HolderId, IdType, MAX_FILE_BYTES, Personal,
};

const SECTION: &str = "Paytend BaaS Issuing Cards, Cardholder Interface";

payload! {
    /// Create cardholder: registers a new cardholder.
    ///
    /// A cardholder from the EEA is identified by a passport or an ID card, and any other cardholder by a passport
    /// (documented, Issuing Cards section 4.3). See [`required_documents`](crate::documents::required_documents).
    #[doc(alias = "createCardholder")]
    pub struct CreateCardholder: Observed {
        required {
            /// The mobile number with country code. The provider's published demo includes a leading `+`; the signed
            /// example in the documentation does not.
            mobile: Personal => "mobile" = "37060000000" [Phone],
            /// The given name.
            first_name: Base64Text => "firstName" = "T25h",
            /// The family name.
            last_name: Base64Text => "lastName" = "S2F6bGF1c2tpZW7Elw==",
            /// The identity document number.
            id_no: Personal => "idNo" = "12345678",
            /// The kind of identity document.
            id_type: IdType => "idType",
            /// The e-mail address.
            email: Personal => "email" = "ona@example.com" [Email],
            /// The date of birth, `yyyy-MM-dd`.
            birthday: Personal => "birthday" = "1990-02-28" [Date],
            /// The gender.
            gender: Gender => "gender",
            /// The country of nationality.
            nationality_code: CountryCode => "nationalityCode",
            /// The address in the EEA.
            eea_address: Address => "eeaAddress",
        }
    }
}

impl Operation for CreateCardholder {
    type Response = HolderResponse;

    const INFO: OperationInfo = observed(Mutation, "Create cardholder", "/issuing/holder/createCardholder")
        .documented(SECTION)
        .request_object("CreateHolder_BizData")
        .response_object("HolderResponse");
}

payload! {
    /// A postal address. `Debug` hides all fields.
    pub struct Address: Observed {
        required {
            /// The street and house number.
            address_line: Base64Text => "addressLine" = "R2VkaW1pbm8gcHIuIDE=",
            /// The provider's code for the city, from [`QueryCities`].
            city_code: Personal => "cityCode" = "VNO",
            /// The postal code.
            postcode: Personal => "postcode" = "01103",
            /// The country.
            country_code: Personal => "countryCode" = "LT" [Iso3166],
        }
        optional {
            /// The second address line. The provider's published demo sends an empty string for an address without a
            /// second line.
            address_line2: Base64Text => "addressLine2" = "QnV0YXMgMg==",
            /// The state or region. The provider's published demo sends an empty string for an address without a state
            /// or region.
            state: Personal => "state" = "Vilnius",
        }
    }
}

payload! {
    /// The provider's data about a cardholder. Only the object's name is documented.
    pub struct HolderResponse: Inferred {
        optional {
            /// The provider's identifier for the cardholder, for use in card applications.
            holder_id: HolderId => "holderId",
            /// The mobile number.
            mobile: Personal => "mobile" = "37060000000" [Phone],
            /// The e-mail address.
            email: Personal => "email" = "ona@example.com" [Email],
            /// The identity document number.
            id_no: Personal => "idNo" = "12345678",
            /// The kind of identity document.
            id_type: IdType => "idType",
            /// The country of nationality.
            nationality_code: CountryCode => "nationalityCode",
            /// The audit status code.
            status: Code => "status",
        }
    }
}

payload! {
    /// Update cardholder: changes a cardholder's data.
    #[doc(alias = "updateCardholder")]
    pub struct UpdateCardholder: Observed {
        required {
            /// The cardholder's identifier.
            holder_id: HolderId => "holderId",
            /// The date of birth, `yyyy-MM-dd`.
            birthday: Personal => "birthday" = "1990-02-28" [Date],
            /// The gender.
            gender: Gender => "gender",
            /// The country of nationality.
            nationality_code: CountryCode => "nationalityCode",
            /// The address in the EEA.
            eea_address: Address => "eeaAddress",
        }
    }
}

impl Operation for UpdateCardholder {
    type Response = HolderResponse;

    const INFO: OperationInfo = observed(Mutation, "Update cardholder", "/issuing/holder/updateCardholder")
        .documented(SECTION)
        .request_object("CardHolderUpdate_BizData")
        .response_object("HolderResponse");
}

payload! {
    /// Query cardholder: returns a cardholder by `holder_id`, or by `id_no` and `id_type`.
    #[doc(alias = "getHolder")]
    pub struct QueryCardholder: Observed {
        optional {
            /// The cardholder's identifier.
            holder_id: HolderId => "holderId",
            /// The identity document number.
            id_no: Personal => "idNo" = "12345678" [RequiredUnless("holderId")],
            /// The kind of identity document.
            id_type: IdType => "idType" [RequiredUnless("holderId")],
        }
    }
    check |this: &Self, report: &mut Report| {
        if !given(this.holder_id.as_ref()) {
            report.require("idNo", given(this.id_no.as_ref()), Rule::RequiredUnless("holderId"));
            report.require("idType", given(this.id_type.as_ref()), Rule::RequiredUnless("holderId"));
        }
    };
}

impl QueryCardholder {
    /// Creates a query by the cardholder's identifier.
    pub fn by_id(holder_id: HolderId) -> Self {
        Self { holder_id: Some(holder_id), ..Self::new() }
    }

    /// Creates a query by identity document.
    pub fn by_document(id_no: Personal, id_type: IdType) -> Self {
        Self { id_no: Some(id_no), id_type: Some(id_type), ..Self::new() }
    }
}

impl Operation for QueryCardholder {
    type Response = HolderResponse;

    const INFO: OperationInfo = observed(Query, "Query cardholder", "/issuing/holder/getHolder")
        .documented(SECTION)
        .request_object("GetHolder_BizData")
        .response_object("HolderResponse");
}

payload! {
    /// Upload supporting documents: uploads one file for a cardholder. The payload is signed, unlike the payload of a
    /// BaaS Core upload.
    #[doc(alias = "uploadDocument")]
    pub struct UploadDocument: Observed {
        required {
            /// The cardholder's identifier.
            holder_id: HolderId => "holderId",
            /// The document type code. The provider's published demo uses "3".
            file_type: Code => "fileType" = "3",
            /// The file, at most 2 MiB. According to the documentation, a photographed document must be of the kind
            /// specified in the cardholder's `idType`.
            file_content: FileContent => "fileContent",
            /// The file name extension, with the dot.
            suffix: String => "suffix" = ".jpeg",
        }
    }
}

impl Operation for UploadDocument {
    type Response = NoData;

    const INFO: OperationInfo =
        observed_without_response(Mutation, "Upload supporting documents", "/issuing/holder/uploadDocument")
            .documented(SECTION)
            .request_object("Issuing_File_BizData")
            .max_file_bytes(MAX_FILE_BYTES);
}

payload! {
    /// Query cities: returns a page of the provider's cities in a country.
    #[doc(alias = "getCities")]
    pub struct QueryCities: Observed {
        required {
            /// The country.
            country_code: CountryCode => "countryCode",
            /// The position of the first city on the page.
            start: Count => "start" = "0",
            /// The maximum number of cities on the page.
            max_result: Count => "maxResult" [Positive],
        }
    }
}

impl Operation for QueryCities {
    type Response = CitiesResponse;

    const INFO: OperationInfo = observed(Query, "Query cities", "/issuing/holder/getCities")
        .documented(SECTION)
        .request_object("Cities_BizData")
        .response_object("CitiesResponse");
}

payload! {
    /// A page of cities. Only the object's name is documented, for both products.
    pub struct CitiesResponse: Inferred {
        optional {
            /// The total number of cities.
            total: Count => "total" = "1",
            /// The cities on the page.
            cities: Vec<City> => "cities",
        }
    }
}

payload! {
    /// A city for use in addresses.
    pub struct City: Inferred {
        optional {
            /// The provider's code for the city.
            city_code: Code => "cityCode" = "VNO",
            /// The name of the city.
            city_name: String => "cityName" = "Vilnius",
            /// The country.
            country_code: CountryCode => "countryCode",
        }
    }
}
