package paytend

// #include <paytend.h>
import "C"

import (
	"encoding/json"
	"fmt"
	"runtime"
	"unicode/utf8"
	"unsafe"
)

// Kind is the shape of a message.
type Kind int32

// The kinds.
const (
	Request      Kind = C.PAYTEND_KIND_REQUEST      // from a partner to Paytend; the payload is bizData
	Response     Kind = C.PAYTEND_KIND_RESPONSE     // Paytend's answer; the payload is respData
	Notification Kind = C.PAYTEND_KIND_NOTIFICATION // from Paytend to a callback URL; the payload is content
)

// Message is a message to seal.
type Message struct {
	Kind Kind
	// Fields are the plain fields without those that the protocol fixes (signType, version). A requestId is optional:
	// Seal sets one.
	Fields map[string]string
	// Payload is the text of one JSON object, or empty for none. It is encrypted, and signed to the letter.
	Payload string
	// UnsignedPayload leaves the payload out of the signature, as the upload endpoints of the IBAN product want it.
	UnsignedPayload bool
}

// Expected is what a message must be, by the route or the configuration, never by the message.
type Expected struct {
	Kind Kind
	// PartnerID is the partner that a request or a notification must name. A response names none.
	PartnerID       string
	UnsignedPayload bool
	// MaxBytes is the largest document that is looked at; 0 for the kind's own limit.
	MaxBytes int
}

// Opened is what an authentic message says.
type Opened struct {
	Fields map[string]string
	// Payload is the payload, exactly as it was signed; empty if there was none.
	Payload string `json:"-"`
	// PayloadProblem says why Payload is not one strict JSON object in UTF-8, if it is not. It is authentic all the same.
	PayloadProblem string
	// Canonical is what was signed. Secret: it holds the session key and the payload.
	Canonical string `json:"-"`
	// VerifiedBy and DecryptedBy are the fingerprints of the keys.
	VerifiedBy, DecryptedBy string
}

// String keeps contents out of logs.
func (o Opened) String() string { return "paytend.Opened" }

// GoString keeps contents out of logs.
func (o Opened) GoString() string { return "paytend.Opened" }

// Seal seals a message and returns its document, a JSON object. It sets a new requestId of 32 characters for a request
// whose fields have none, and keeps a given one.
//
// The error is ErrUnsealable if a field or the payload cannot be sealed, and ErrKey if the keyring has no key to sign
// or encrypt with.
func (r *Keyring) Seal(message Message) ([]byte, error) {
	fields := message.Fields
	if fields == nil {
		fields = map[string]string{}
	}
	for name, value := range fields {
		// json.Marshal would put another character in its place, and that would be signed.
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, usage(fmt.Sprintf("field %.40q is not UTF-8", name))
		}
	}
	if !utf8.ValidString(message.Payload) {
		return nil, usage("Payload is not UTF-8")
	}
	encoded, encodingErr := json.Marshal(fields)
	if encodingErr != nil {
		return nil, encodingErr
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	defer runtime.KeepAlive(r)
	var out C.PaytendBuffer
	var err *C.PaytendError
	code := C.paytend_seal(r.c(), C.int32_t(message.Kind), lent(&pinner, encoded), lentText(&pinner, message.Payload),
		C.bool(!message.UnsignedPayload), &out, &err)
	if code != 0 {
		return nil, failed(code, err)
	}
	return taken(out), nil
}

// Open opens a message: decrypts it, verifies it, and returns what is in it only if both succeed.
func (r *Keyring) Open(document []byte, expected Expected) (*Opened, error) {
	if expected.MaxBytes < 0 {
		return nil, usage("MaxBytes is negative")
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	defer runtime.KeepAlive(r)
	var handle *C.PaytendOpened
	var err *C.PaytendError
	code := C.paytend_open(r.c(), C.int32_t(expected.Kind), lentText(&pinner, expected.PartnerID), lent(&pinner, document),
		C.bool(!expected.UnsignedPayload), C.size_t(expected.MaxBytes), &handle, &err)
	if code != 0 {
		return nil, failed(code, err)
	}
	defer C.paytend_opened_free(handle)
	var view C.PaytendOpenedView
	C.paytend_opened_view(handle, &view)
	opened := &Opened{
		Fields:      make(map[string]string, int(view.fields_len)),
		Payload:     textOf(view.payload),
		Canonical:   textOf(view.canonical),
		VerifiedBy:  textOf(view.verified_by),
		DecryptedBy: textOf(view.decrypted_by),

		PayloadProblem: textOf(C.paytend_opened_payload_problem(handle)),
	}
	for _, field := range unsafe.Slice(view.fields, int(view.fields_len)) {
		opened.Fields[textOf(field.name)] = textOf(field.value)
	}
	return opened, nil
}
