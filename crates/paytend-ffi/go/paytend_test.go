package paytend_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	paytend "github.com/paytend-rs/paytend-rs/crates/paytend-ffi/go"
)

const partnerID = "888666000100260"

func pair(t testing.TB) (own, peer *paytend.Keyring) {
	t.Helper()
	var keys [2]*paytend.PrivateKey
	var public [2]*paytend.PublicKey
	for at := range keys {
		var err error
		if keys[at], err = paytend.GenerateKey(1024); err != nil {
			t.Fatal(err)
		}
		if public[at], err = keys[at].Public(); err != nil {
			t.Fatal(err)
		}
	}
	own, err := paytend.NewKeyring(keys[:1], public[1:])
	if err != nil {
		t.Fatal(err)
	}
	peer, err = paytend.NewKeyring(keys[1:], public[:1])
	if err != nil {
		t.Fatal(err)
	}
	return own, peer
}

func notification(t testing.TB, ring *paytend.Keyring, payload string) []byte {
	t.Helper()
	fields := map[string]string{"partnerId": partnerID, "notifyType": "2"}
	document, err := ring.Seal(paytend.Message{Kind: paytend.Notification, Fields: fields, Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func TestErrorsMatchTheExpectedSentinels(t *testing.T) {
	own, peer := pair(t)
	document := notification(t, peer, `{"a":1}`)
	open := func(document []byte, partner string) error {
		_, err := own.Open(document, paytend.Expected{Kind: paytend.Notification, PartnerID: partner})
		return err
	}
	if err := open(document, partnerID); err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(document, []byte(`"notifyType":"2"`), []byte(`"notifyType":"3"`), 1)
	_, noKey := paytend.LoadPrivateKey([]byte("no key"))
	_, small := paytend.GenerateKey(512)
	_, negative := paytend.GenerateKey(-1)
	_, noRing := paytend.NewKeyring(nil, nil)
	_, nilKey := paytend.NewKeyring([]*paytend.PrivateKey{nil}, nil)
	_, unsealable := own.Seal(paytend.Message{Kind: paytend.Request})
	_, unsigned := own.Open([]byte(`{"respCode":"99","respMsg":"no"}`), paytend.Expected{Kind: paytend.Response})
	for at, row := range []struct{ got, want error }{
		{open(changed, partnerID), paytend.ErrNotAuthentic},
		{open(document, "888666000100999"), paytend.ErrNotAuthentic},
		{open(document[1:], partnerID), paytend.ErrMalformed},
		{open(nil, partnerID), paytend.ErrMalformed},
		{open(document, ""), paytend.ErrUsage},
		{noKey, paytend.ErrKey}, {small, paytend.ErrKey}, {negative, paytend.ErrKey}, {noRing, paytend.ErrKey},
		{nilKey, paytend.ErrUsage}, {unsealable, paytend.ErrUnsealable}, {unsigned, paytend.ErrUnsignedFailure},
	} {
		if !errors.Is(row.got, row.want) {
			t.Errorf("%d: %v is not %s", at, row.got, row.want.(*paytend.Error).Name)
		}
	}
	var failure *paytend.Error
	if !errors.As(unsigned, &failure) || failure.RespCode != "99" || failure.RespMsg != "no" ||
		failure.Name != "unsigned_failure" {
		t.Errorf("%+v", failure)
	}
}

func TestHandlerSendsTheExpectedResponse(t *testing.T) {
	own, peer := pair(t)
	receiver, err := paytend.NewPaytendReceiver(paytend.BaaS, partnerID, own, paytend.Limits{MaxBytes: 4096})
	if err != nil {
		t.Fatal(err)
	}
	reply := paytend.Accepted
	var handled []*paytend.Received
	var rejections []error
	server := httptest.NewServer(receiver.Handler(func(_ *http.Request, received *paytend.Received) paytend.Reply {
		handled = append(handled, received)
		return reply
	}, paytend.HandlerOptions{
		OnRejection: func(_ *http.Request, err error) { rejections = append(rejections, err) },
	}))
	defer server.Close()
	post := func(body []byte) (int, string, http.Header) {
		response, err := http.Post(server.URL, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var text bytes.Buffer
		if _, err := text.ReadFrom(response.Body); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, text.String(), response.Header
	}
	deposit := `{"transactionId":"T1","tradeStatus":2}`
	status, _, _ := post([]byte("{}"))
	if status != 400 || len(rejections) != 1 || !errors.Is(rejections[0], paytend.ErrMalformed) {
		t.Error(status, rejections)
	}
	status, body, _ := post(notification(t, peer, deposit))
	if status != 200 || body != `{"msg":"success","status":"00"}` {
		t.Error(status, body)
	}
	first := handled[0]
	logged, err := json.Marshal(first)
	formatted := fmt.Sprintf("%v %+v %#v", *first, *first, *first)
	if err != nil || bytes.Contains(logged, []byte("tradeStatus")) || strings.Contains(formatted, "tradeStatus") {
		t.Error("the content appears in a log", err)
	}
	about := paytend.BusinessKey{Kind: "deposit", ID: "T1", State: "2"}
	if string(first.Content) != deposit || first.BusinessKey == nil || *first.BusinessKey != about ||
		first.Product != paytend.BaaS || first.NotifyType != "2" || !first.SentAt.IsZero() {
		t.Errorf("%#v", *first)
	}
	// Seal the same notification again and post it.
	post(notification(t, peer, deposit))
	if handled[1].DedupKey != first.DedupKey || len(first.DedupKey) != 64 {
		t.Error(handled[1].DedupKey, first.DedupKey)
	}
	reply = paytend.TryAgainLater
	if status, _, header := post(notification(t, peer, "")); status != 503 || header.Get("Retry-After") != "60" {
		t.Error(status, header)
	}
	for body, want := range map[string]int{"{}": 400, strings.Repeat(" ", 5000): 413} {
		if status, _, _ := post([]byte(body)); status != want {
			t.Error(status, want)
		}
	}
	if response, err := http.Get(server.URL); err != nil || response.StatusCode != 405 {
		t.Error(response.StatusCode, err)
	}
	if len(handled) != 3 {
		t.Error(len(handled))
	}
}

func TestScheduledKeysAreUsedOnlyDuringTheirPeriodOfUse(t *testing.T) {
	key, err := paytend.GenerateKey(1024)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	keys := []paytend.ScheduledKey{{Key: public, NotBefore: day, RetireAt: day.Add(time.Hour)}}
	receiver, err := paytend.NewPayByReceiver(keys, paytend.Limits{MaxAge: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	receive := func(body string, now time.Time) error {
		sign, err := paytend.Sign(key, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		_, response, err := receiver.Receive(http.Header{"Sign": {sign}}, []byte(body), now)
		if (err == nil) != (response == nil) {
			t.Error(response, err)
		}
		return err
	}
	withTime := fmt.Sprintf(`{"notify_timestamp":%d}`, day.UnixMilli())
	for at, row := range []struct{ got, want error }{
		{receive("{}", day), nil},
		{receive("{}", day.Add(-time.Millisecond)), paytend.ErrKey},
		{receive("{}", day.Add(time.Hour)), paytend.ErrKey},
		{receive(withTime, day.Add(time.Minute)), nil},
		{receive(withTime, day.Add(time.Minute+time.Millisecond)), paytend.ErrRejected},
	} {
		if row.want == nil && row.got != nil || row.want != nil && !errors.Is(row.got, row.want) {
			t.Errorf("%d: %v", at, row.got)
		}
	}
	_, err = paytend.NewPayerMaxReceiver([]paytend.ScheduledKey{{Key: public}}, paytend.Limits{})
	if !errors.Is(err, paytend.ErrUsage) {
		t.Error(err)
	}
}

func TestKeysAreEncodedInTheRequestedForm(t *testing.T) {
	key, err := paytend.GenerateKey(1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"pkcs8-pem", "pkcs8-base64", "pkcs1-der"} {
		data, err := key.Write(form)
		if err != nil {
			t.Fatal(err)
		}
		info, err := paytend.InspectKey(data)
		if err != nil || !info.Private || info.Bits != 1024 || !strings.HasPrefix(form, info.Format) ||
			!strings.HasSuffix(form, info.Armour) {
			t.Error(form, info, err)
		}
	}
	if _, err := key.Write("jwk"); !errors.Is(err, paytend.ErrUsage) {
		t.Error(err)
	}
	text := fmt.Sprintf("%v %+v %#v %s", key, key, key, key)
	if strings.Contains(text, "BEGIN") || strings.Contains(text, "0x") {
		t.Error(text)
	}
}

// Goroutines share handles while the garbage collector runs.
func TestGoroutinesCanShareHandles(t *testing.T) {
	own, peer := pair(t)
	document := notification(t, peer, `{"a":1}`)
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 20 {
				opened, err := own.Open(document, paytend.Expected{Kind: paytend.Notification, PartnerID: partnerID})
				if err != nil || opened.Payload != `{"a":1}` {
					t.Error(err)
				}
				if _, err := paytend.LoadPrivateKey([]byte("no key")); err == nil {
					t.Error("an invalid key was loaded")
				}
				runtime.GC()
			}
		}()
	}
	group.Wait()
}

func TestRequestIDsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id, err := paytend.RequestID()
		if err != nil || len(id) != 32 || seen[id] {
			t.Fatal(id, err)
		}
		seen[id] = true
	}
}

func Example() {
	// In production, load the keys with paytend.LoadPrivateKeyFile and paytend.LoadPublicKeyFile.
	own, _ := paytend.GenerateKey(1024)
	theirs, _ := paytend.GenerateKey(1024)
	public, _ := theirs.Public()
	keyring, err := paytend.NewKeyring([]*paytend.PrivateKey{own}, []*paytend.PublicKey{public})
	if err != nil {
		panic(err)
	}
	receiver, err := paytend.NewPaytendReceiver(paytend.BaaS, "888666000100260", keyring, paytend.Limits{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/paytend/baas", receiver.Handler(func(_ *http.Request, received *paytend.Received) paytend.Reply {
		// Store the notification before accepting it. Use received.DedupKey to detect duplicates.
		return paytend.Accepted
	}, paytend.HandlerOptions{
		OnRejection: func(_ *http.Request, err error) { log.Print("notification rejected: ", err) },
	}))
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: mux, ReadTimeout: 10 * time.Second}
	fmt.Println(server.Addr)
	// Output: 127.0.0.1:8080
}

// plainWriter is a middleware response writer that does not support deadlines.
type plainWriter struct{ http.ResponseWriter }

func TestSlowBodyTimesOut(t *testing.T) {
	own, _ := pair(t)
	receiver, err := paytend.NewPaytendReceiver(paytend.BaaS, partnerID, own, paytend.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	reasons := make(chan error, 2)
	handler := receiver.Handler(func(*http.Request, *paytend.Received) paytend.Reply { return paytend.Accepted },
		paytend.HandlerOptions{
			BodyTimeout: 50 * time.Millisecond,
			OnRejection: func(_ *http.Request, err error) { reasons <- err },
		})
	server := httptest.NewServer(handler)
	defer server.Close()
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	// Only the first byte of the body is sent.
	head := "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
	if _, err := io.WriteString(connection, head+"{"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusRequestTimeout || !errors.Is(<-reasons, paytend.ErrBodyTimeout) {
		t.Error(response.Status)
	}

	body, end := io.Pipe()
	defer end.Close()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(plainWriter{recorder}, httptest.NewRequest(http.MethodPost, "/", body))
	if recorder.Code != http.StatusRequestTimeout || !errors.Is(<-reasons, paytend.ErrBodyTimeout) {
		t.Error(recorder.Code)
	}
}

func TestConcurrencyIsLimited(t *testing.T) {
	own, peer := pair(t)
	receiver, err := paytend.NewPaytendReceiver(paytend.BaaS, partnerID, own, paytend.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	began, goOn, reasons := make(chan struct{}, 3), make(chan struct{}), make(chan error, 1)
	handler := receiver.Handler(func(*http.Request, *paytend.Received) paytend.Reply {
		began <- struct{}{}
		<-goOn
		return paytend.Accepted
	}, paytend.HandlerOptions{
		MaxConcurrent: 2,
		QueueTimeout:  20 * time.Millisecond,
		OnRejection:   func(_ *http.Request, err error) { reasons <- err },
	})
	document := notification(t, peer, `{"transactionId":"T1","tradeStatus":2}`)
	serve := func() int {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(document)))
		return recorder.Code
	}
	codes := make(chan int, 2)
	for i := 0; i < 2; i++ {
		go func() { codes <- serve() }()
	}
	<-began
	<-began
	// Both slots are in use.
	if code := serve(); code != http.StatusServiceUnavailable || !errors.Is(<-reasons, paytend.ErrOverloaded) {
		t.Error(code)
	}
	close(goOn)
	for i := 0; i < 2; i++ {
		if code := <-codes; code != http.StatusOK {
			t.Error(code)
		}
	}
	// Both slots are free again.
	if code := serve(); code != http.StatusOK {
		t.Error(code)
	}
	// The slot is freed even if the handle function panics.
	panics := receiver.Handler(func(*http.Request, *paytend.Received) paytend.Reply { panic("handle") },
		paytend.HandlerOptions{MaxConcurrent: 1, QueueTimeout: time.Minute})
	for i := 0; i < 2; i++ {
		func() {
			defer func() {
				if recover() != "handle" {
					t.Error("the function was not called")
				}
			}()
			request := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(document))
			panics.ServeHTTP(httptest.NewRecorder(), request)
		}()
	}
}

func TestNilArgumentsAreRefused(t *testing.T) {
	var keyring *paytend.Keyring
	_, sign := paytend.Sign(nil, nil)
	_, verify := paytend.Verify([]*paytend.PublicKey{nil}, nil, "")
	_, ring := paytend.NewKeyring([]*paytend.PrivateKey{nil}, nil)
	_, seal := keyring.Seal(paytend.Message{})
	_, open := keyring.Open(nil, paytend.Expected{MaxBytes: -1})
	_, receiver := paytend.NewPaytendReceiver(paytend.BaaS, "888666000100260", nil, paytend.Limits{})
	_, payby := paytend.NewPayByReceiver([]paytend.ScheduledKey{{}}, paytend.Limits{})
	for at, err := range []error{sign, verify, ring, seal, open, receiver, payby} {
		if !errors.Is(err, paytend.ErrUsage) {
			t.Error(at, err)
		}
	}
}
