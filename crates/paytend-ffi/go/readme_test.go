// Tests the code in README.md. `cargo xtask bindings test go` checks that the marked regions are identical to the code
// blocks there.

package paytend_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// README: begin
import paytend "github.com/paytend-rs/paytend-rs/crates/paytend-ffi/go"

func loadKeyring(privateFile, publicFile string) (*paytend.Keyring, error) {
	own, err := paytend.LoadPrivateKeyFile(privateFile) // mode 0600
	if err != nil {
		return nil, err
	}
	theirs, err := paytend.LoadPublicKeyFile(publicFile)
	if err != nil {
		return nil, err
	}
	return paytend.NewKeyring([]*paytend.PrivateKey{own}, []*paytend.PublicKey{theirs})
}

func sealRequest(keyring *paytend.Keyring) ([]byte, error) {
	return keyring.Seal(paytend.Message{
		Kind:    paytend.Request,
		Fields:  map[string]string{"partnerId": "888666000100260"},
		Payload: `{"orderNo":"A-1001","amount":"12.50"}`,
	})
}

// README: end

// README: begin
func routes(keyring *paytend.Keyring, store func(*paytend.Received) (isNew bool, err error)) (http.Handler, error) {
	receiver, err := paytend.NewPaytendReceiver(paytend.BaaS, "888666000100260", keyring, paytend.Limits{})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/paytend/baas", receiver.Handler(func(_ *http.Request, received *paytend.Received) paytend.Reply {
		// store commits the dedup key and the effect in one transaction.
		isNew, err := store(received)
		switch {
		case err != nil:
			return paytend.TryAgainLater
		case !isNew:
			return paytend.Duplicate
		}
		return paytend.Accepted
	}, paytend.HandlerOptions{
		OnRejection: func(_ *http.Request, err error) { log.Print("notification rejected: ", err) },
	}))
	return mux, nil
}

// README: end

// readmeRings returns the keyring that the README's code loads, and Paytend's keyring.
func readmeRings(t *testing.T) (own, peer *paytend.Keyring) {
	t.Helper()
	folder := t.TempDir()
	var keys [2]*paytend.PrivateKey
	var public [2]*paytend.PublicKey
	for at := range keys {
		keys[at] = must(paytend.GenerateKey(1024))(t)
		public[at] = must(keys[at].Public())(t)
	}
	privateFile, publicFile := filepath.Join(folder, "private.pem"), filepath.Join(folder, "paytend.pem")
	for path, text := range map[string][]byte{
		privateFile: must(keys[0].Write("pkcs8-pem"))(t), publicFile: must(public[1].Write("spki-pem"))(t),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return must(loadKeyring(privateFile, publicFile))(t), must(paytend.NewKeyring(keys[1:], public[:1]))(t)
}

// must returns the value of a call, or fails the test if the call returned an error.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func requestID(t *testing.T, document []byte) string {
	t.Helper()
	var fields struct {
		RequestID string `json:"requestId"`
	}
	if err := json.Unmarshal(document, &fields); err != nil {
		t.Fatal(err)
	}
	return fields.RequestID
}

func TestReadmeSealAddsARequestID(t *testing.T) {
	own, peer := readmeRings(t)
	document := must(sealRequest(own))(t)
	first := requestID(t, document)
	opened := must(peer.Open(document, paytend.Expected{Kind: paytend.Request, PartnerID: partnerID}))(t)
	payload := `{"orderNo":"A-1001","amount":"12.50"}`
	if len(first) != 32 || opened.Fields["requestId"] != first || opened.Payload != payload {
		t.Error(first, opened.Fields, opened.Payload)
	}
	if second := requestID(t, must(sealRequest(own))(t)); len(second) != 32 || second == first {
		t.Error(first, second)
	}
	given := paytend.Message{Kind: paytend.Request, Fields: map[string]string{"partnerId": partnerID, "requestId": first}}
	if kept := requestID(t, must(own.Seal(given))(t)); kept != first {
		t.Error(first, kept)
	}
	given.Fields["requestId"] = ""
	if _, err := own.Seal(given); !errors.Is(err, paytend.ErrUnsealable) || !strings.Contains(err.Error(), "`requestId`") {
		t.Error(err)
	}
	if id := requestID(t, notification(t, peer, "")); id != "" {
		t.Error(id)
	}
}

// A poster is a function that posts a body to a route and returns the status and body of the response.
type poster func(body []byte) (int, string)

// readmeRoute returns the README's handler with an in-memory store.
func readmeRoute(t *testing.T, own *paytend.Keyring, failure error) (poster, *[]*paytend.Received) {
	t.Helper()
	stored := new([]*paytend.Received)
	handler := must(routes(own, func(received *paytend.Received) (bool, error) {
		isNew := true
		for _, known := range *stored {
			isNew = isNew && known.DedupKey != received.DedupKey
		}
		*stored = append(*stored, received)
		return isNew, failure
	}))(t)
	return func(body []byte) (int, string) {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/paytend/baas", bytes.NewReader(body)))
		return recorder.Code, recorder.Body.String()
	}, stored
}

func TestReadmeRepeatedNotificationHasTheSameDedupKey(t *testing.T) {
	own, peer := readmeRings(t)
	post, stored := readmeRoute(t, own, nil)
	for _, state := range []string{"2", "2", "3"} {
		status, body := post(notification(t, peer, `{"transactionId":"T1","tradeStatus":`+state+`}`))
		if status != 200 || body != `{"msg":"success","status":"00"}` {
			t.Error(status, body)
		}
	}
	first, repeat, update := (*stored)[0], (*stored)[1], (*stored)[2]
	if first.DedupKey != repeat.DedupKey || first.DedupKey == update.DedupKey {
		t.Error(first.DedupKey, repeat.DedupKey, update.DedupKey)
	}
	if *repeat.BusinessKey != (paytend.BusinessKey{Kind: "deposit", ID: "T1", State: "2"}) || repeat.Reading != "typed" {
		t.Errorf("%+v %s", *repeat.BusinessKey, repeat.Reading)
	}
	post, _ = readmeRoute(t, own, errors.New("the database is down"))
	if status, _ := post(notification(t, peer, "{}")); status != 503 {
		t.Error(status)
	}
}

func TestReadmeUntypedNotificationIsStoredUnchanged(t *testing.T) {
	own, peer := readmeRings(t)
	post, stored := readmeRoute(t, own, nil)
	fields := map[string]string{"partnerId": partnerID, "notifyType": "77"}
	post(must(peer.Seal(paytend.Message{Kind: paytend.Notification, Fields: fields, Payload: `{"new": 1}`}))(t))
	if first := (*stored)[0]; first.Reading != "unknown" || string(first.Content) != `{"new": 1}` {
		t.Error(first.Reading, string(first.Content))
	}
}

func TestReadmeRejectionHasAResponseAndALoggedReason(t *testing.T) {
	own, _ := readmeRings(t)
	post, stored := readmeRoute(t, own, nil)
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	status, body := post([]byte("{"))
	if _, other := post([]byte("x")); status != 400 || body != other || strings.Contains(body, "JSON") {
		t.Error(status, body)
	}
	if !strings.Contains(logged.String(), "notification rejected: paytend: rejected: the message is malformed: JSON") {
		t.Error(logged.String())
	}
	logged.Reset()
	status, _ = post(bytes.Repeat([]byte(" "), 64<<10+1))
	if status != 413 || !strings.Contains(logged.String(), "Limits.MaxBytes (65536 bytes)") {
		t.Error(status, logged.String())
	}
	if len(*stored) != 0 {
		t.Error(len(*stored))
	}
}

func TestReadmeErrorsAreDistinct(t *testing.T) {
	known := map[string]*paytend.Error{
		"ErrUsage": paytend.ErrUsage, "ErrNotAuthentic": paytend.ErrNotAuthentic, "ErrMalformed": paytend.ErrMalformed,
		"ErrPayload": paytend.ErrPayload, "ErrUnsignedFailure": paytend.ErrUnsignedFailure,
		"ErrUnsealable": paytend.ErrUnsealable, "ErrKey": paytend.ErrKey, "ErrUnavailable": paytend.ErrUnavailable,
		"ErrRejected": paytend.ErrRejected, "ErrInternal": paytend.ErrInternal,
	}
	readme := must(os.ReadFile("README.md"))(t)
	rows := regexp.MustCompile("(?m)^\\| `(Err\\w+)` \\| `(\\w+)` \\|$").FindAllStringSubmatch(string(readme), -1)
	if len(rows) != len(known) {
		t.Error(rows)
	}
	for _, row := range rows {
		sentinel := known[row[1]]
		if sentinel == nil || sentinel.Name != row[2] {
			t.Fatal(row)
		}
		// An error with this code matches only the sentinel for this code.
		failure := &paytend.Error{Code: sentinel.Code, Name: sentinel.Name, Message: "what went wrong"}
		for name, other := range known {
			if errors.Is(failure, other) != (name == row[1]) {
				t.Error(row[1], name)
			}
		}
	}
}
