//! Transfer orders: what Paytend asks about a transaction before it lets it through.

use super::named_without_response;
use super::opening::SECTION;
use crate::OperationKind::Mutation;
use crate::{Code, FileContent, MAX_FILE_BYTES, NoData, Operation, OperationInfo, OrderNo, PayloadRule};

payload! {
    /// Submit transfer order information, for the order of a transfer order notification. What is asked is in the partner's documents:
    /// it goes into `extra`.
    pub struct SubmitTransferOrder: Inferred {
        required {
            /// Number of the transfer order, from its notification.
            order_no: OrderNo => "orderNo",
        }
        optional {}
    }
}

impl Operation for SubmitTransferOrder {
    type Response = NoData;

    const INFO: OperationInfo =
        named_without_response(Mutation, "Submit transfer order information", "/iban/transfer/submitTransferOrder")
            .documented(SECTION)
            .takes("TransferOrderRequest_BizData");
}

payload! {
    /// Upload transfer order file. The payload is encrypted and **not signed** (documented).
    pub struct UploadTransferOrderFile: Inferred {
        required {
            /// Number of the transfer order.
            order_no: OrderNo => "orderNo",
            /// The file, 2 MiB at most.
            file_content: FileContent => "fileContent",
        }
        optional {
            /// Code of what the file shows.
            file_type: Code => "fileType" = "3",
            /// The file name's ending, with its point.
            suffix: String => "suffix" = ".pdf",
        }
    }
}

impl Operation for UploadTransferOrderFile {
    type Response = NoData;

    const INFO: OperationInfo =
        named_without_response(Mutation, "Upload transfer order file", "/iban/transfer/uploadTransferOrderFile")
            .documented(SECTION)
            .takes("TransferOrderFile_BizData")
            .payload(PayloadRule::Unsigned)
            .files_up_to(MAX_FILE_BYTES);
}
