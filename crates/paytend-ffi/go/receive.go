package paytend

/*
#include <stdlib.h>
#include <paytend.h>
*/
import "C"

import (
	"encoding/json"
	"math"
	"net/http"
	"runtime"
	"time"
	"unsafe"
)

// Product is a Paytend product. Notification types are numbered separately for each product.
type Product string

// The products.
const (
	BaaS    Product = "baas"    // BaaS Core, Funding and Payout
	Issuing Product = "issuing" // Issuing Cards
)

// Receiver verifies the notifications that arrive at one HTTP route.
type Receiver struct {
	handle *C.PaytendReceiver
	limit  int64
}

// Limits contains a receiver's limits. A zero value means the default.
type Limits struct {
	// MaxBytes is the maximum size of a body, in bytes (default: 64 KiB).
	MaxBytes int64
	// MaxAge is the maximum age of a notification (default: 26 h for PayBy, 3 days for PayerMax).
	MaxAge time.Duration
}

func (r *Receiver) c() *C.PaytendReceiver {
	if r == nil {
		return nil
	}
	return r.handle
}

func (l Limits) c() C.PaytendLimits {
	limits := C.PaytendLimits{max_bytes: math.MaxUint64, max_age: math.MaxUint64}
	// Negative limits become 0, which the library rejects.
	if l.MaxBytes != 0 {
		limits.max_bytes = C.uint64_t(max(l.MaxBytes, 0))
	}
	if l.MaxAge != 0 {
		limits.max_age = C.uint64_t(max(l.MaxAge.Milliseconds(), 0))
	}
	return limits
}

// ScheduledKey is a provider's key and its validity period. A zero time means no limit.
type ScheduledKey struct {
	Key *PublicKey
	// NotBefore is the start of the validity period (inclusive), and RetireAt is its end (exclusive).
	NotBefore, RetireAt time.Time
	// Merchant is the merchant number for PayerMax, and empty for PayBy.
	Merchant string
}

func receiver(handle *C.PaytendReceiver, limits Limits) *Receiver {
	limit := limits.MaxBytes
	if limit <= 0 {
		limit = 64 << 10
	}
	made := &Receiver{handle, limit}
	runtime.SetFinalizer(made, func(made *Receiver) { C.paytend_receiver_free(made.handle) })
	return made
}

// NewPaytendReceiver creates a receiver for notifications from one Paytend product to one partner. Use a separate HTTP
// route for each receiver.
func NewPaytendReceiver(product Product, partnerID string, keyring *Keyring, limits Limits) (*Receiver, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	defer runtime.KeepAlive(keyring)
	var handle *C.PaytendReceiver
	var err *C.PaytendError
	code := C.paytend_receiver_paytend(lentText(&pinner, string(product)), lentText(&pinner, partnerID), keyring.c(),
		limits.c(), &handle, &err)
	if code != 0 {
		return nil, failed(code, err)
	}
	return receiver(handle, limits), nil
}

// withKeys copies keys to C memory for the duration of one call.
func withKeys(keys []ScheduledKey, use func(first *C.PaytendScheduledKey, count C.size_t)) {
	defer runtime.KeepAlive(keys)
	size := C.size_t(unsafe.Sizeof(C.PaytendScheduledKey{}))
	first := (*C.PaytendScheduledKey)(C.calloc(C.size_t(len(keys)+1), size))
	defer C.free(unsafe.Pointer(first))
	scheduled := unsafe.Slice(first, len(keys))
	moment := func(at time.Time) C.uint64_t {
		if at.IsZero() {
			return math.MaxUint64
		}
		return C.uint64_t(max(at.UnixMilli(), 0))
	}
	for at, key := range keys {
		merchant := C.CBytes([]byte(key.Merchant))
		defer C.free(merchant)
		scheduled[at] = C.PaytendScheduledKey{not_before: moment(key.NotBefore), retire_at: moment(key.RetireAt)}
		scheduled[at].key = key.Key.c()
		scheduled[at].merchant = C.PaytendSlice{data: (*C.uint8_t)(merchant), len: C.size_t(len(key.Merchant))}
	}
	use(first, C.size_t(len(keys)))
}

// NewPayByReceiver creates a receiver for PayBy's notifications.
func NewPayByReceiver(keys []ScheduledKey, limits Limits) (*Receiver, error) {
	var handle *C.PaytendReceiver
	var err *C.PaytendError
	var code C.int32_t
	withKeys(keys, func(first *C.PaytendScheduledKey, count C.size_t) {
		code = C.paytend_receiver_payby(first, count, limits.c(), &handle, &err)
	})
	if code != 0 {
		return nil, failed(code, err)
	}
	return receiver(handle, limits), nil
}

// NewPayerMaxReceiver creates a receiver for PayerMax's notifications to the merchants in keys.
func NewPayerMaxReceiver(keys []ScheduledKey, limits Limits) (*Receiver, error) {
	var handle *C.PaytendReceiver
	var err *C.PaytendError
	var code C.int32_t
	withKeys(keys, func(first *C.PaytendScheduledKey, count C.size_t) {
		code = C.paytend_receiver_payermax(first, count, limits.c(), &handle, &err)
	})
	if code != 0 {
		return nil, failed(code, err)
	}
	return receiver(handle, limits), nil
}

// Received is a verified notification.
type Received struct {
	Provider   string  // paytend, payby or payermax
	Product    Product // empty unless the provider is Paytend
	NotifyType string  // Paytend's notifyType
	// Content is the signed content: the decrypted content for Paytend, the body for PayBy and PayerMax.
	Content []byte `json:"-"`
	// Reading is the result of parsing: "typed", "unreadable" (a documented type that could not be parsed) or "unknown"
	// (an undocumented type). If Reading is not "typed", store the notification with its content, and do not treat it as
	// handled.
	Reading string
	// Problem describes the parsing problems, if any. Even a typed notification can have fields that could not be parsed.
	Problem string
	// DedupKey is the same for every delivery of a notification, even if the notification is sealed again. Store the key
	// in the same transaction as the notification's effect. Notifications from Paytend have no sequence number, so a
	// notification whose dedup key is already stored may still be an update. Store that notification too, and query the
	// current state of the object that BusinessKey identifies.
	DedupKey string
	// BusinessKey identifies the object that the notification is about, and contains the reported state. It can be nil.
	BusinessKey *BusinessKey
	// VerifiedBy is the fingerprint of the key that verified the signature.
	VerifiedBy string
	// SentAt is the time at which the notification was sent, or zero if the provider does not report it.
	SentAt time.Time
}

// BusinessKey identifies the object that a notification is about, and contains the reported state.
type BusinessKey struct {
	Kind  string `json:"kind"`
	ID    string `json:"id"`
	State string `json:"state"`
}

// String returns a description without the content, to keep it out of logs.
func (r Received) String() string { return "paytend.Received " + r.DedupKey }

// GoString returns a description without the content, to keep it out of logs.
func (r Received) GoString() string { return r.String() }

// ProviderResponse is the HTTP response to send to the provider.
type ProviderResponse struct {
	Status int
	Header http.Header
	Body   []byte
}

// Write sends the response to w.
func (p *ProviderResponse) Write(w http.ResponseWriter) error {
	for name, values := range p.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(p.Status)
	_, err := w.Write(p.Body)
	return err
}

// providerResponse converts a C response and frees the original.
func providerResponse(handle *C.PaytendProviderResponse) *ProviderResponse {
	defer C.paytend_provider_response_free(handle)
	response := &ProviderResponse{
		Status: int(C.paytend_provider_response_status(handle)),
		Header: http.Header{},
		Body:   bytesOf(C.paytend_provider_response_body(handle)),
	}
	var header C.PaytendHeader
	for at := C.size_t(0); bool(C.paytend_provider_response_header(handle, at, &header)); at++ {
		response.Header.Add(textOf(header.name), textOf(header.value))
	}
	return response
}

// Reply is the result of handling a notification.
type Reply int32

// The replies.
const (
	Accepted      Reply = C.PAYTEND_REPLY_ACCEPTED        // the notification has been stored durably
	Duplicate     Reply = C.PAYTEND_REPLY_DUPLICATE       // the notification had already been stored durably
	TryAgainLater Reply = C.PAYTEND_REPLY_TRY_AGAIN_LATER // the notification was not stored; the provider should retry
)

// Respond returns the HTTP response for a received notification.
func (r *Receiver) Respond(reply Reply) (*ProviderResponse, error) {
	defer runtime.KeepAlive(r)
	var handle *C.PaytendProviderResponse
	var err *C.PaytendError
	if code := C.paytend_receiver_respond(r.c(), C.int32_t(reply), &handle, &err); code != 0 {
		return nil, failed(code, err)
	}
	return providerResponse(handle), nil
}

// Receive verifies a notification. body must be the raw request body. If now is zero, the system time is used. If the
// notification is rejected, Receive returns the response to send and the reason.
func (r *Receiver) Receive(header http.Header, body []byte, now time.Time) (*Received, *ProviderResponse, error) {
	defer runtime.KeepAlive(r)
	var pinner runtime.Pinner
	defer pinner.Unpin()
	count := 0
	for _, values := range header {
		count += len(values)
	}
	first := (*C.PaytendHeader)(C.calloc(C.size_t(count+1), C.size_t(unsafe.Sizeof(C.PaytendHeader{}))))
	defer C.free(unsafe.Pointer(first))
	headers := unsafe.Slice(first, count)
	at := 0
	for name, values := range header {
		for _, value := range values {
			nameCopy, valueCopy := C.CBytes([]byte(name)), C.CBytes([]byte(value))
			defer C.free(nameCopy)
			defer C.free(valueCopy)
			headers[at].name = C.PaytendSlice{data: (*C.uint8_t)(nameCopy), len: C.size_t(len(name))}
			headers[at].value = C.PaytendSlice{data: (*C.uint8_t)(valueCopy), len: C.size_t(len(value))}
			at++
		}
	}
	var handle *C.PaytendNotification
	var responseHandle *C.PaytendProviderResponse
	var err *C.PaytendError
	moment := C.uint64_t(math.MaxUint64) // the system time
	if !now.IsZero() {
		moment = C.uint64_t(max(now.UnixMilli(), 0))
	}
	code := C.paytend_receive(r.c(), first, C.size_t(count), lent(&pinner, body), moment, &handle, &responseHandle, &err)
	if code != 0 {
		var response *ProviderResponse
		if responseHandle != nil {
			response = providerResponse(responseHandle)
		}
		return nil, response, failed(code, err)
	}
	defer C.paytend_notification_free(handle)
	var summary struct {
		Provider    string       `json:"provider"`
		Product     Product      `json:"product"`
		NotifyType  string       `json:"notify_type"`
		Reading     string       `json:"reading"`
		Problem     string       `json:"problem"`
		DedupKey    string       `json:"dedup_key"`
		BusinessKey *BusinessKey `json:"business_key"`
		VerifiedBy  string       `json:"verified_by"`
		SentAt      *int64       `json:"sent_at"`
	}
	if err := json.Unmarshal(bytesOf(C.paytend_notification_summary(handle)), &summary); err != nil {
		return nil, nil, err
	}
	received := &Received{
		Provider: summary.Provider, Product: summary.Product, NotifyType: summary.NotifyType, Reading: summary.Reading,
		Problem:  summary.Problem,
		DedupKey: summary.DedupKey, BusinessKey: summary.BusinessKey, VerifiedBy: summary.VerifiedBy,
		Content: bytesOf(C.paytend_notification_content(handle)),
	}
	if summary.SentAt != nil {
		received.SentAt = time.UnixMilli(*summary.SentAt).UTC()
	}
	return received, nil, nil
}
