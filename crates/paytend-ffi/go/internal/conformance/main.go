// The conformance program of the Go binding. Its output must match the output of examples/conformance.rs in
// paytend-bindings.
//
//	Usage: conformance VECTORS vectors FILE | seal FILE | open FILE...
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	paytend "github.com/paytend-rs/paytend-rs/crates/paytend-ffi/go"
)

const partnerID = "888666000100260"

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

var (
	vectors string
	keys    = map[string]map[string]any{}
)

func read(name string, into any) {
	check(json.Unmarshal(must(os.ReadFile(filepath.Join(vectors, name))), into))
}

func keyText(name, form string) []byte { return []byte(keys[name][form].(string)) }

func private(name string) *paytend.PrivateKey {
	return must(paytend.LoadPrivateKey(keyText(name, "private")))
}

func public(name string) *paytend.PublicKey {
	return must(paytend.LoadPublicKey(keyText(name, "public")))
}

func keyring(own, peer string) *paytend.Keyring {
	return must(paytend.NewKeyring([]*paytend.PrivateKey{private(own)}, []*paytend.PublicKey{public(peer)}))
}

func kindOf(name string) paytend.Kind {
	kinds := map[string]paytend.Kind{
		"bizData": paytend.Request, "respData": paytend.Response, "content": paytend.Notification,
		"request": paytend.Request, "response": paytend.Response, "notification": paytend.Notification,
	}
	kind, known := kinds[name]
	if !known {
		panic(name)
	}
	return kind
}

func expected(kind paytend.Kind, signed bool) paytend.Expected {
	expected := paytend.Expected{Kind: kind, PartnerID: partnerID, UnsignedPayload: !signed}
	if kind == paytend.Response {
		expected.PartnerID = ""
	}
	return expected
}

func outcome(err error) string {
	var failure *paytend.Error
	if err == nil {
		return "ok"
	}
	if !errors.As(err, &failure) {
		panic(err)
	}
	return failure.Name
}

func require(holds bool, what string) {
	if !holds {
		panic(what)
	}
}

func runVectors() string {
	var out strings.Builder
	line := func(group, name, outcome string) { fmt.Fprintf(&out, "%s/%s: %s\n", group, name, outcome) }
	names := []string{}
	for name := range keys {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fingerprint := ""
		for at, form := range []string{"private", "private_pkcs1_pem", "private_pkcs8_pem", "public", "public_pkcs1_pem"} {
			info := must(paytend.InspectKey(keyText(name, form)))
			require(info.Private == (at < 3) && (at == 0 || info.Fingerprint == fingerprint), name)
			fingerprint = info.Fingerprint
		}
		line("keys", name, fingerprint)
	}

	var envelope []struct {
		Name, Sender, Receiver, Payload, Canonical, Wire string
		PayloadField                                     string `json:"payload_field"`
		SignPayload                                      bool   `json:"sign_payload"`
	}
	read("envelope.json", &envelope)
	for _, it := range envelope {
		ring, expected := keyring(it.Receiver, it.Sender), expected(kindOf(it.PayloadField), it.SignPayload)
		opened, err := ring.Open([]byte(it.Wire), expected)
		line("envelope", it.Name, outcome(err))
		require(opened.Payload == it.Payload && opened.Canonical == it.Canonical, it.Name)
	}

	var refuse []struct {
		Name, Kind string
		Wire       *string
		WireBase64 *string `json:"wire_base64"`
	}
	read("refuse.json", &refuse)
	own := keyring("partner", "paytend")
	for _, it := range refuse {
		var document []byte
		switch {
		case it.Wire != nil:
			document = []byte(*it.Wire)
		case it.WireBase64 != nil:
			document = must(base64.StdEncoding.DecodeString(*it.WireBase64))
		case it.Name == "json/deep nesting":
			document = []byte(strings.Repeat("[", 100_000))
		case it.Name == "randomKey/a million blocks":
			for _, other := range refuse {
				if other.Name == "signature/one bit" {
					fields := map[string]any{}
					check(json.Unmarshal([]byte(*other.Wire), &fields))
					fields["randomKey"] = base64.StdEncoding.EncodeToString(make([]byte, 128_000_000))
					document = must(json.Marshal(fields))
				}
			}
		}
		require(document != nil, it.Name)
		opened, err := own.Open(document, expected(kindOf(it.Kind), true))
		require(opened == nil && err != nil, it.Name)
		line("refuse", it.Name, outcome(err))
	}

	var detached []struct {
		Name, Key, Sign string
		Body            string `json:"body_base64"`
		Valid           bool
	}
	read("detached.json", &detached)
	for _, it := range detached {
		key := []paytend.ScheduledKey{{Key: public(it.Key)}}
		receiver, now := (*paytend.Receiver)(nil), time.UnixMilli(1_586_849_300_000)
		if it.Key == "payby" {
			receiver = must(paytend.NewPayByReceiver(key, paytend.Limits{}))
		} else {
			key[0].Merchant = "P01010113842047"
			receiver, now = must(paytend.NewPayerMaxReceiver(key, paytend.Limits{})), time.UnixMilli(1_670_837_217_628)
		}
		body := must(base64.StdEncoding.DecodeString(it.Body))
		received, response, err := receiver.Receive(http.Header{"Sign": {it.Sign}}, body, now)
		require((err == nil) == it.Valid, it.Name)
		if err == nil {
			require(string(received.Content) == string(body), it.Name)
			line("detached", it.Name, received.DedupKey)
		} else {
			require(response.Status == 400, it.Name)
			line("detached", it.Name, outcome(err))
		}
	}

	var blocks []struct{ Name, Key, Plain, Wire string }
	read("rsa_blocks.json", &blocks)
	for _, it := range blocks {
		plain := must(paytend.HazmatDecryptBlocks(private(it.Key), must(base64.StdEncoding.DecodeString(it.Wire))))
		require(string(plain) == it.Plain, it.Name)
		line("rsa_blocks", it.Name, "ok")
	}

	theirs := keyring("paytend", "partner")
	for _, file := range must(filepath.Glob(filepath.Join(vectors, "samples", "*.json"))) {
		var samples struct {
			Samples []struct {
				Name   string
				Sample json.RawMessage
			}
		}
		read(filepath.Join("samples", filepath.Base(file)), &samples)
		for _, it := range samples.Samples {
			fields := map[string]string{"partnerId": partnerID, "requestId": strings.Repeat("0", 32)}
			message := paytend.Message{Kind: paytend.Request, Fields: fields, Payload: string(it.Sample)}
			opened := must(theirs.Open(must(own.Seal(message)), expected(paytend.Request, true)))
			require(opened.Payload == string(it.Sample), it.Name)
			line("samples/"+strings.TrimSuffix(filepath.Base(file), ".json"), it.Name, "ok")
		}
	}
	oddArguments(own, public("payby"), func(name string, err error) { line("arguments", name, outcome(err)) })
	return out.String()
}

func oddArguments(own *paytend.Keyring, key *paytend.PublicKey, tried func(name string, err error)) {
	open := func(kind paytend.Kind, partner string) error {
		_, err := own.Open([]byte("{}"), paytend.Expected{Kind: kind, PartnerID: partner})
		return err
	}
	seal := func(field, payload string) error {
		fields := map[string]string{"partnerId": partnerID, "note": field}
		_, err := own.Seal(paytend.Message{Kind: paytend.Request, Fields: fields, Payload: payload})
		return err
	}
	payby := func(limits paytend.Limits, keys ...paytend.ScheduledKey) error {
		_, err := paytend.NewPayByReceiver(keys, limits)
		return err
	}
	one := paytend.ScheduledKey{Key: key}
	tried("request without a partner", open(paytend.Request, ""))
	// Go has no separate value for a missing partner ID, so this call is the same as the previous call.
	tried("request with an empty partner", open(paytend.Request, ""))
	tried("response with a partner", open(paytend.Response, partnerID))
	tried("payload that is not Unicode", seal("", "{\"name\":\"\xff\"}"))
	tried("field that is not Unicode", seal("\xff", ""))
	_, err := paytend.NewPaytendReceiver(paytend.BaaS, "", own, paytend.Limits{})
	tried("receiver with an empty partner", err)
	_, err = paytend.NewPayerMaxReceiver([]paytend.ScheduledKey{one}, paytend.Limits{})
	tried("PayerMax without a merchant", err)
	tried("PayBy without a key", payby(paytend.Limits{}))
	tried("size limit of 0", payby(paytend.Limits{MaxBytes: -1}, one))
	tried("maximum age of 0", payby(paytend.Limits{MaxAge: time.Nanosecond}, one))
	_, err = paytend.GenerateKey(512)
	tried("512-bit key", err)
}

type sealed struct {
	Kind     string `json:"kind"`
	Sender   string `json:"sender"`
	Receiver string `json:"receiver"`
	Payload  string `json:"payload"`
	Signed   bool   `json:"signed"`
	Document string `json:"document"`
}

func sealAll() []sealed {
	var out []sealed
	for _, it := range []struct {
		kind, sender, receiver string
		fields                 map[string]string
	}{
		{"request", "partner", "paytend", map[string]string{
			"partnerId": partnerID, "requestId": "0123456789abcdef0123456789abcdef",
		}},
		{"response", "paytend", "partner", map[string]string{"respCode": "00", "respMsg": "got it & more"}},
		{"notification", "paytend_2048", "partner_2048", map[string]string{"partnerId": partnerID, "notifyType": "2"}},
	} {
		for _, payload := range []struct {
			text   string
			signed bool
		}{{"", true}, {`{"amount":"0.10","name":"Žalgirio & Söhne 中文 💶"}`, true}, {`{"a":1}`, false}} {
			document := must(keyring(it.sender, it.receiver).Seal(paytend.Message{
				Kind: kindOf(it.kind), Fields: it.fields, Payload: payload.text, UnsignedPayload: !payload.signed,
			}))
			out = append(out, sealed{it.kind, it.sender, it.receiver, payload.text, payload.signed, string(document)})
		}
	}
	return out
}

func openAll(file string) {
	var messages []sealed
	check(json.Unmarshal(must(os.ReadFile(file)), &messages))
	require(len(messages) == 9, file)
	for _, it := range messages {
		opened := must(keyring(it.Receiver, it.Sender).Open([]byte(it.Document), expected(kindOf(it.Kind), it.Signed)))
		require(opened.Payload == it.Payload, file)
	}
}

func main() {
	vectors = os.Args[1]
	all := map[string]json.RawMessage{}
	read("keys.json", &all)
	for name, raw := range all {
		if name != "note" {
			key := map[string]any{}
			check(json.Unmarshal(raw, &key))
			keys[name] = key
		}
	}
	switch os.Args[2] {
	case "vectors":
		check(os.WriteFile(os.Args[3], []byte(runVectors()), 0o600))
	case "seal":
		check(os.WriteFile(os.Args[3], must(json.Marshal(sealAll())), 0o600))
	case "open":
		for _, file := range os.Args[3:] {
			openAll(file)
		}
	}
}
