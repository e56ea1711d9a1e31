package paytend_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paytend "github.com/paytend-rs/paytend-rs/crates/paytend-ffi/go"
)

// says checks that err has the same code as kind, and that its message contains part and no personal data.
func says(t *testing.T, err, kind error, part string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("%v is not %s", err, kind.(*paytend.Error).Name)
	}
	text := err.Error()
	if !strings.Contains(text, part) || strings.Contains(text, "CANARY") || strings.Contains(text, "BEGIN") {
		t.Errorf("expected %q in %q", part, text)
	}
}

func TestKeyFileErrorNamesThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "private.pem")
	_, private := paytend.LoadPrivateKeyFile(path)
	_, public := paytend.LoadPublicKeyFile(path)
	says(t, private, paytend.ErrKey, "cannot read the key file "+path+": ")
	says(t, public, paytend.ErrKey, "cannot read the key file "+path+": ")
	text := must(must(paytend.GenerateKey(1024))(t).Write("pkcs8-pem"))(t)
	if err := errors.Join(os.WriteFile(path, text, 0o600), os.Chmod(path, 0o644)); err != nil {
		t.Fatal(err)
	}
	_, open := paytend.LoadPrivateKeyFile(path)
	for _, part := range []string{path, "644", "0600"} {
		says(t, open, paytend.ErrKey, part)
	}
}

func TestRejectionMessageIncludesTheCause(t *testing.T) {
	key := must(paytend.GenerateKey(1024))(t)
	public := must(key.Public())(t)
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	body := []byte(fmt.Sprintf(`{"notify_timestamp":%d,"name":"CANARY"}`, now.UnixMilli()))
	keys := []paytend.ScheduledKey{{Key: public}}
	receiver := must(paytend.NewPayByReceiver(keys, paytend.Limits{MaxAge: time.Minute}))(t)
	keys[0].NotBefore = now.Add(time.Hour)
	later := must(paytend.NewPayByReceiver(keys, paytend.Limits{}))(t)
	header := http.Header{"Sign": {must(paytend.Sign(key, body))(t)}}
	wrong := http.Header{"Sign": {must(paytend.Sign(key, nil))(t)}}
	_, _, tooOld := receiver.Receive(header, body, now.Add(2*time.Hour))
	_, _, changed := receiver.Receive(wrong, body, now)
	_, _, noKey := later.Receive(header, body, now)
	says(t, tooOld, paytend.ErrRejected, "the notification was sent 2 h ago; `max_age` is 1 min")
	says(t, changed, paytend.ErrNotAuthentic, "rejected: the message is not authentic")
	says(t, noKey, paytend.ErrKey, "cannot verify now: ")
}

func TestErrorNamesTheInvalidFieldOrArgument(t *testing.T) {
	ring, _ := pair(t)
	seal := func(fields map[string]string, payload string) error {
		_, err := ring.Seal(paytend.Message{Kind: paytend.Request, Fields: fields, Payload: payload})
		return err
	}
	partner := map[string]string{"partnerId": partnerID}
	_, noPartner := ring.Open([]byte("{}"), paytend.Expected{Kind: paytend.Request})
	_, negative := ring.Open(nil, paytend.Expected{Kind: paytend.Response, MaxBytes: -1})
	_, product := paytend.NewPaytendReceiver("payout", partnerID, ring, paytend.Limits{})
	_, limit := paytend.NewPaytendReceiver(paytend.BaaS, partnerID, ring, paytend.Limits{MaxBytes: -1})
	_, noRing := paytend.NewPaytendReceiver(paytend.BaaS, partnerID, nil, paytend.Limits{})
	says(t, seal(nil, ""), paytend.ErrUnsealable, "`partnerId`")
	says(t, seal(map[string]string{"partnerId": partnerID, "note": "CANARY&x=y"}, ""), paytend.ErrUnsealable, "`note`")
	says(t, seal(map[string]string{"partnerId": "CANARY\xff"}, ""), paytend.ErrUsage,
		`field "partnerId" is not valid UTF-8`)
	says(t, seal(partner, "CANARY\xff"), paytend.ErrUsage, "Payload is not valid UTF-8")
	says(t, noPartner, paytend.ErrUsage, "partner ID")
	says(t, negative, paytend.ErrUsage, "MaxBytes")
	says(t, product, paytend.ErrUsage, "`product`")
	says(t, limit, paytend.ErrUsage, "`max_bytes`")
	says(t, noRing, paytend.ErrUsage, "keyring is null")
}
