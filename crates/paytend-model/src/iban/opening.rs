//! Account Opening: from a mobile number to uploaded documents.

use super::{named, named_without_response};
use crate::OperationKind::Mutation;
use crate::issuing::Address;
use crate::payload::given;
use crate::{
    Base64Text, Code, CountryCode, FileContent, Gender, IdType, MAX_FILE_BYTES, NoData, Operation, OperationInfo,
    PayloadRule, Personal, Provenance, Report, Rule, Source, UserId,
};

pub(super) const SECTION: &str = "Paytend BaaS Core API, Account Opening Interface";

payload! {
    /// Verify mobile number: Paytend sends a verification code to it, to be given when the user is created. The first, optional
    /// step of opening an account.
    pub struct VerifyMobileNumber: Documented {
        required {
            /// Mobile number with country code. The published demo sends `+`; the documentation's signed example has none.
            mobile: Personal => "mobile" = "8613261402222" [Phone],
            /// Code of the purpose; the documentation's example has "1" and explains none.
            type_: Code => "type",
        }
        optional {}
    }
}

impl Operation for VerifyMobileNumber {
    type Response = NoData;

    const INFO: OperationInfo = named(Mutation, "Verify mobile number", "/iban/user/verifyMobileNumber")
        .documented(SECTION)
        .takes("VerificationCode_BizData")
        .sure(Provenance {
            operation: Source::Documented,
            path: Source::Inferred,
            request: Source::Documented,
            response: Source::Documented,
        });
}

payload! {
    /// Create individual user.
    pub struct CreateIndividual: Inferred {
        required {
            /// Mobile number with country code. The published demo sends `+`; the documentation's signed example has none.
            /// It is the user's unique identifier (documented, section 4.4).
            mobile: Personal => "mobile" = "37060000000" [Phone],
        }
        optional {
            /// The code that was sent to the mobile number.
            verification_code: Personal => "verificationCode" = "123456",
            /// Given name.
            first_name: Base64Text => "firstName" = "T25h",
            /// Family name.
            last_name: Base64Text => "lastName" = "S2F6bGF1c2tpZW7Elw==",
            /// Number of the identity document.
            id_no: Personal => "idNo" = "12345678",
            /// Kind of the identity document.
            id_type: IdType => "idType",
            /// E-mail address.
            email: Personal => "email" = "ona@example.com" [Email],
            /// Date of birth, `yyyy-MM-dd`.
            birthday: Personal => "birthday" = "1990-02-28" [Date],
            /// Gender.
            gender: Gender => "gender",
            /// Country of the nationality: decides which documents are needed.
            nationality_code: CountryCode => "nationalityCode",
            /// Where the user lives: decides which documents are needed.
            address: Address => "address",
        }
    }
}

impl Operation for CreateIndividual {
    type Response = RegisterResponse;

    const INFO: OperationInfo = named(Mutation, "Create individual user", "/iban/user/createIndividual")
        .documented(SECTION)
        .takes("Individual_BizData")
        .gives("RegisterResponse");
}

payload! {
    /// Create corporation user.
    pub struct CreateCorporation: Inferred {
        required {
            /// Mobile number with country code. The published demo sends `+`; the documentation's signed example has none.
            /// It is the user's unique identifier (documented, section 4.4).
            mobile: Personal => "mobile" = "37060000001" [Phone],
        }
        optional {
            /// The code that was sent to the mobile number.
            verification_code: Personal => "verificationCode" = "123456",
            /// The corporation's name.
            corporation_name: Base64Text => "corporationName" = "xb1hbGdpcmlvIFVBQg==",
            /// Number in the register that the certificate of incorporation is of.
            registration_no: Personal => "registrationNo" = "305123456",
            /// Country of incorporation: decides which documents are needed.
            country_code: CountryCode => "countryCode",
            /// E-mail address.
            email: Personal => "email" = "info@example.com" [Email],
            /// Registered address.
            address: Address => "address",
            /// The legal person, who is identified like a personal user.
            legal_person: LegalPerson => "legalPerson",
        }
    }
}

impl Operation for CreateCorporation {
    type Response = RegisterResponse;

    const INFO: OperationInfo = named(Mutation, "Create corporation user", "/iban/user/createCorporation")
        .documented(SECTION)
        .takes("Corporation_BizData")
        .gives("RegisterResponse");
}

payload! {
    /// The person who acts for a corporation.
    pub struct LegalPerson: Inferred {
        required {}
        optional {
            /// Given name.
            first_name: Base64Text => "firstName" = "T25h",
            /// Family name.
            last_name: Base64Text => "lastName" = "S2F6bGF1c2tpZW7Elw==",
            /// Number of the identity document.
            id_no: Personal => "idNo" = "12345678",
            /// Kind of the identity document.
            id_type: IdType => "idType",
            /// Date of birth, `yyyy-MM-dd`.
            birthday: Personal => "birthday" = "1990-02-28" [Date],
            /// Country of the nationality.
            nationality_code: CountryCode => "nationalityCode",
        }
    }
}

payload! {
    /// A user that was created. The object's name is documented.
    pub struct RegisterResponse: Inferred {
        required {}
        optional {
            /// The provider's identifier, which all further calls name.
            user_id: UserId => "userId",
        }
    }
}

payload! {
    /// Upload supporting documents: one file of a user, or the result of a verification by Sumsub or Veriff (documented, section 4.4; how
    /// such a result is written is in the partner's documents, and it goes into `extra`).
    ///
    /// The payload is encrypted and **not signed** (documented).
    pub struct UploadDocument: Inferred {
        required {
            /// The user.
            user_id: UserId => "userId",
        }
        optional {
            /// Code of what the file shows.
            file_type: Code => "fileType" = "3",
            /// The file, 2 MiB at most.
            file_content: FileContent => "fileContent",
            /// The file name's ending, with its point.
            suffix: String => "suffix" = ".jpeg",
        }
    }
    check |this: &Self, report: &mut Report| {
        let result = this.extra.has_other_than(&["fileType", "fileContent", "suffix"]);
        report.require("fileContent", given(this.file_content.as_ref()) || result, Rule::NotEmpty);
    };
}

impl UploadDocument {
    /// A file of a user.
    pub fn file(user_id: UserId, file_type: Code, content: FileContent) -> Self {
        Self { file_type: Some(file_type), file_content: Some(content), ..Self::new(user_id) }
    }
}

impl Operation for UploadDocument {
    type Response = NoData;

    const INFO: OperationInfo =
        named_without_response(Mutation, "Upload supporting documents", "/iban/user/uploadDocument")
            .documented(SECTION)
            .takes("File_BizData")
            .payload(PayloadRule::Unsigned)
            .files_up_to(MAX_FILE_BYTES);
}
